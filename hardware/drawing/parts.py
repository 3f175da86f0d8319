"""Every part of the board: values of both variants, manufacturer's part number, tolerance, rating, cost class.

`value` is variant A's. `value_b` is variant B's where it differs: a value, "fit" for a part that only B has, or "omit".
Cost classes: 1 under 0.10, 2 under 1, 3 under 5, 4 above, in EUR or USD for ten pieces.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A part of the bill of materials. `mpn_b` only where B fits another one; `symbol` is the library symbol."""

    symbol: str
    value: str
    description: str
    mpn: str
    tolerance: str
    rating: str
    package: str
    cost: int
    value_b: str = ""
    mpn_b: str = ""
    in_bom: bool = True

    @property
    def only_b(self) -> bool:
        """Return True for a part that variant A leaves out."""
        return self.value_b == "fit"

    def fields(self) -> list[tuple[str, str]]:
        """Return the properties that KiCad keeps beside value and description."""
        rows = [
            ("Value_B", self.value_b),
            ("MPN", self.mpn),
            ("MPN_B", self.mpn_b),
            ("Tolerance", self.tolerance),
            ("Rating", self.rating),
            ("Package", self.package),
            ("Cost", str(self.cost) if self.in_bom else ""),
        ]
        return [(key, value) for key, value in rows if value]


def _resistor(value: str, code: str, use: str, value_b: str = "", code_b: str = "") -> Part:
    mpn_b = f"RC0603FR-07{code_b}L" if code_b else ""
    return Part("R", value, use, f"RC0603FR-07{code}L", "1%", "0.1 W, 75 V", "0603", 1, value_b, mpn_b)


def _precise(value: str, code: str, use: str, value_b: str = "") -> Part:
    return Part("R", value, use, f"TNPW0603{code}BEEA", "0.1%", "25 ppm/K, 0.1 W", "0603", 2, value_b)


def _capacitor(
    value: str, mpn: str, use: str, kind: str = "X7R, 50 V", tolerance: str = "10%", size: str = "0603"
) -> Part:
    return Part("C", value, use, mpn, tolerance, kind, size, 1)


_BYPASS = "GRM188R71H104KA93D"
_PULL_DOWN = "keeps {} low while the Pico is in reset"


def _probe(net: str) -> Part:
    return Part("TestPoint", net, f"Test point {net}", "5019", "-", "-", "SMD", 2)


RESISTORS = {
    "R1": _resistor("1k", "1K", "bias of the 2.5 V reference, 0.8 mA"),
    "R2": _resistor("4.7k", "4K7", _PULL_DOWN.format("PWM_SETPOINT")),
    "R3": _precise("15k", "15K0", "set-point filter"),
    "R4": _precise("15k", "15K0", "set-point filter"),
    "R5": _precise("20k", "20K0", "set-point gain 20 / 50 = 0.4"),
    "R6": _resistor("1k", "1K", "isolates the op-amp from the gate"),
    "R7": _resistor("100k", "100K", "pulls the sink's gate low"),
    "R8": _resistor("10k", "10K", "feedback of the sink, with C3"),
    "R9": _precise("191", "191R", "Rs: with R11 sets 1.00 V = 4.975 mA"),
    "R10": _precise("35.7", "35R7", "Rs of variant B, parallel to R9: 1.00 V = 24.95 mA", "fit"),
    "R11": _precise("10", "10R0", "shunt of the INA219"),
    "R12": _resistor("121", "121R", "Rlim of the first limiter: 0.65 V at its ceiling"),
    "R13": _resistor("28.0", "28R", "Rlim of variant B, parallel to R12", "fit"),
    "R14": _resistor("442k", "442K", "holds Q2 off, with R49"),
    "R15": _resistor("100k", "100K", "gate of Q2 to Q3, with R50"),
    "R16": _resistor("330", "330R", "protects the heartbeat pin"),
    "R17": _resistor("750k", "750K", "bleeds the pump, with R48: the dead-man's time"),
    "R18": _resistor("47k", "47K", "VBUS to the interlock's gate"),
    "R19": _resistor("220k", "220K", "interlock's gate low without VBUS"),
    "R20": _resistor("150", "150R", "lead resistor", "33", "33R"),
    "R21": _resistor("150", "150R", "lead resistor", "33", "33R"),
    "R22": _resistor("4.99M", "4M99", "drain divider, top, with R54"),
    "R23": _resistor("1M", "1M", "drain divider, returned to the source so that its current is measured"),
    "R24": _resistor("1M", "1M", "rail divider, top"),
    "R25": _resistor("100k", "100K", "rail divider, bottom: 24 V reads 2.18 V"),
    "R26": Part("R", "0", "range strap: fitted says variant B", "RC0603JR-070RL", "-", "jumper", "0603", 1, "fit"),
    "R27": _resistor("1k", "1K", "protects the base of Q4"),
    "R28": _resistor("1k", "1K", "limits the current of the STOP sense pin"),
    "R30": _resistor("1.8M", "1M8", "boost feedback, top", "390k", "390K"),
    "R31": _resistor("97.6k", "97K6", "boost feedback, bottom", "10k", "10K"),
    "R32": _resistor("4.7k", "4K7", _PULL_DOWN.format("BOOST_ENABLE")),
    "R33": _resistor("1k", "1K", "isolates the buffer from the ADC's capacitor"),
    "R34": _resistor("1k", "1K", "V(SNS) to the ADC"),
    "R35": _resistor("4.7k", "4K7", _PULL_DOWN.format("POLARITY_RELAY")),
    "R36": _resistor("4.7k", "4K7", _PULL_DOWN.format("BUZZER")),
    "R37": _resistor("4.7k", "4K7", "I2C pull-up"),
    "R38": _resistor("4.7k", "4K7", "I2C pull-up"),
    "R39": _resistor("1k", "1K", "current of the ready light"),
    "R40": _resistor("1k", "1K", "current of the current light"),
    "R41": _resistor("1k", "1K", "current of the fault light"),
    "R42": Part("R", "33", "current of the buzzer", "RC1206FR-0733RL", "1%", "0.25 W, 200 V", "1206", 1),
    "R43": _resistor("1k", "1K", "ESD: limits the current of the START pin"),
    "R44": _resistor("4.7k", "4K7", "POLARITY_RELAY charges C22 through it; 1 ms"),
    "R45": _resistor("180k", "180K", "bleeds C22: how long the relay is held"),
    "R46": _resistor("180k", "180K", "C22 to the base of Q6, bleeds it too"),
    "R47": _resistor("220k", "220K", "holds Q8 off"),
    "R48": _resistor("750k", "750K", "bleeds the pump, beside R17"),
    "R49": _resistor("442k", "442K", "holds Q2 off, beside R14"),
    "R50": _resistor("100k", "100K", "gate of Q2 to Q3, after R15"),
    "R51": _resistor("121", "121R", "Rlim of the second limiter"),
    "R52": _resistor("1k", "1K", "protects the base of Q9"),
    "R53": _resistor("28.0", "28R", "Rlim of variant B, parallel to R51", "fit"),
    "R54": _resistor("4.99M", "4M99", "drain divider, top, after R22"),
    "R55": _precise("10", "10R0", "shunt of the INA226"),
    "R56": _resistor("3.32", "3R32", "shunt of the INA226 in variant B, parallel to R55", "fit"),
    "R57": _resistor("100k", "100K", "the Pico sees and tries the interlock through it"),
    "R58": _resistor("100k", "100K", "lets Q10 conduct without a computer"),
    "R59": _resistor("2.7k", "2K7", "1.1 mA through the STOP contact keeps it clean"),
    "R60": _resistor("100k", "100K", "pole sense: whatever U9 does, it leaks at most 0.25 mA"),
    "R61": _resistor("100k", "100K", "pole sense, other input"),
    "R62": _resistor("1k", "1K", "limits the current of the pole sense pin"),
    "R63": _resistor("10k", "10K", "relay coil to its sense pin"),
    "R64": _resistor("100k", "100K", "holds the source of Q2 should R55 be open"),
}
CAPACITORS = {
    "C1": _capacitor("100n", "GRM31C5C1H104JA01L", "set-point filter", "C0G, 50 V", "5%", "1206"),
    "C2": _capacitor("100n", "GRM31C5C1H104JA01L", "set-point filter", "C0G, 50 V", "5%", "1206"),
    "C3": _capacitor("220p", "GRM1885C1H221JA01D", "compensates the sink (Cc)", "C0G, 50 V", "5%"),
    "C4": _capacitor(
        "47n", "GRM21B5C1H473JA01L", "pump capacitor, with C23: one edge's charge", "C0G, 50 V", "5%", "0805"
    ),
    "C5": _capacitor("150n", "ECHU1H154JX9", "pump store, with R17 the dead-man's time", "film, 50 V", "5%", "1913"),
    "C6": _capacitor("1n", "GRM1885C1H102JA01D", "EMI, with C24; with the cable at most 1 nF", "C0G, 50 V", "5%"),
    "C7": _capacitor("10u", "GRM21BR71A106KA73L", "boost input", "X7R, 10 V", "10%", "0805"),
    "C8": _capacitor("10u", "GRM21BR71A106KA73L", "VSYS", "X7R, 10 V", "10%", "0805"),
    "C9": Part(
        "C", "1u", "24 V rail", "GRM21BR71H105KA12L", "10%", "X7R, 50 V", "0805", 1, "4.7u", "GRM31CR71H475KA12L"
    ),
    "C10": _capacitor("100n", _BYPASS, "24 V rail, at the limiter"),
    "C11": _capacitor("100n", _BYPASS, "2.5 V reference"),
    "C12": _capacitor("22p", "GRM1885C1H220JA01D", "drain divider: 20 us", "C0G, 50 V", "5%"),
    "C13": _capacitor("1n", "GRM1885C1H102JA01D", "holds ADC_DRAIN while it is sampled", "C0G, 50 V", "5%"),
    "C14": _capacitor("10n", "GRM188R71H103KA01D", "holds ADC_SNS while it is sampled"),
    "C15": _capacitor("10n", "GRM188R71H103KA01D", "holds ADC_RAIL while it is sampled"),
    "C16": _capacitor("100n", _BYPASS, "bypass of U3"),
    "C17": _capacitor("1n", "GRM1885C1H102JA01D", "keeps spikes of a plug from the interlock", "C0G, 50 V", "5%"),
    "C18": _capacitor("100n", _BYPASS, "bypass of U4"),
    "C19": _capacitor("100n", _BYPASS, "bypass of U5"),
    "C20": _capacitor("10n", "GRM188R71H103KA01D", "START button"),
    "C21": _capacitor("100n", _BYPASS, "3.3 V at the Pico"),
    "C22": _capacitor("1u", "GRM21BR71H105KA12L", "holds the relay past the dead-man", size="0805"),
    "C23": _capacitor("47n", "GRM21B5C1H473JA01L", "pump capacitor, after C4", "C0G, 50 V", "5%", "0805"),
    "C24": _capacitor("1n", "GRM1885C1H102JA01D", "EMI, after C6", "C0G, 50 V", "5%"),
    "C26": _capacitor("100n", _BYPASS, "bypass of U7"),
    "C27": _capacitor("100n", _BYPASS, "bypass of U8"),
    "C28": _capacitor("100n", _BYPASS, "bypass of U9"),
    "C25": _capacitor("4.7p", "GRM1885C1H4R7CA01D", "feed-forward of the boost's feedback", "C0G, 50 V", "0.25pF"),
}
SEMICONDUCTORS = {
    "D1": Part("BAS70-04", "BAS70-04", "charge pump", "BAS70-04,215", "-", "70 V, 70 mA", "SOT-23", 1),
    "D2": Part("D", "1N4148W", "relay coil's free-wheeling diode", "1N4148W-7-F", "-", "100 V, 0.3 A", "SOD-123", 1),
    "D3": Part(
        "D_Zener", "27V", "clamps the rail when the boost runs away", "1SMB5935BT3G", "5%", "27 V, 3 W", "SMB", 2
    ),
    "D4": Part("D_Schottky", "MBR0520", "battery to VSYS", "MBR0520LT1G", "-", "20 V, 0.5 A", "SOD-123", 2),
    "D5": Part("D_Schottky", "MBR0540", "boost rectifier", "MBR0540T1G", "-", "40 V, 0.5 A", "SOD-123", 2),
    "D6": Part(
        "BAS70", "BAS70", "lets STOP_SENSE see the loop, never feed it", "BAS70,215", "-", "70 V, 70 mA", "SOT-23", 1
    ),
    "D7": Part("LED", "green", "light: ready", "LTST-C190KGKT", "-", "20 mA", "0603", 1),
    "D8": Part("LED", "yellow", "light: current flows", "LTST-C190KSKT", "-", "20 mA", "0603", 1),
    "D9": Part("LED", "red", "light: fault", "LTST-C190KRKT", "-", "20 mA", "0603", 1),
    "D10": Part("D", "1N4148W", "buzzer's free-wheeling diode", "1N4148W-7-F", "-", "100 V, 0.3 A", "SOD-123", 1),
    "D11": Part(
        "D_Schottky", "SS14", "blows the fuse when the battery is reversed", "SS14", "-", "40 V, 1 A", "SMA", 2
    ),
    "D13": Part(
        "BAS70", "BAS70", "VBUS feeds the interlock, never the other way", "BAS70,215", "-", "70 V, 70 mA", "SOT-23", 1
    ),
    "D14": Part(
        "Clamp_Dual",
        "35V",
        "clamps both electrodes to GND",
        "DUP3105SOQ-7",
        "-",
        "32 V, leaks 100 nA at most, 30 pF",
        "SOT-23",
        1,
    ),
    "D12": Part("BAS70", "BAS70", "charges C22, never discharges it", "BAS70,215", "-", "70 V, 70 mA", "SOT-23", 1),
    "Q1": Part(
        "NMOS_GSD",
        "BSS138",
        "sink",
        "BSS138",
        "Vgs(th) 0.8 to 1.5 V",
        "50 V, 0.2 A",
        "SOT-23",
        1,
        "omit",
    ),
    "Q11": Part(
        "NMOS_GDS",
        "NDT3055L",
        "sink of variant B, in place of Q1",
        "NDT3055L",
        "Vgs(th) 1.0 to 2.0 V",
        "60 V, 4 A",
        "SOT-223",
        2,
        "fit",
    ),
    "Q2": Part(
        "PMOS_GSD",
        "BSS84",
        "high-side switch and limiter",
        "BSS84LT1G",
        "-",
        "50 V, 0.13 A, 0.22 W",
        "SOT-23",
        1,
        "omit",
    ),
    "Q12": Part(
        "PMOS_GDS",
        "NDT2955",
        "high-side switch of variant B, in place of Q2",
        "NDT2955",
        "Vgs(th) -2.0 to -4.0 V",
        "60 V, 2.5 A",
        "SOT-223",
        2,
        "fit",
    ),
    "Q3": Part(
        "NMOS_GSD",
        "BSS138",
        "dead-man's transistor; onsemi only: its threshold sets the time",
        "BSS138",
        "Vgs(th) 0.8 to 1.5 V",
        "50 V, 0.2 A",
        "SOT-23",
        1,
    ),
    "Q4": Part(
        "PNP_BEC", "MMBT3906", "first limiter: 0.65 V across R12", "MMBT3906LT1G", "-", "40 V, 0.2 A", "SOT-23", 1
    ),
    "Q5": Part(
        "NMOS_GSD", "BSS138", "interlock: shorts the pump", "BSS138", "Vgs(th) 0.8 to 1.5 V", "50 V, 0.2 A", "SOT-23", 1
    ),
    "Q6": Part(
        "NPN_BEC",
        "BC847B",
        "ends the relay's hold; its base-emitter voltage sets the time",
        "BC847B,215",
        "Vbe 0.58 to 0.70 V at 2 mA",
        "45 V, 0.1 A",
        "SOT-23",
        1,
    ),
    "Q7": Part("NMOS_GSD", "BSS138", "buzzer driver", "BSS138", "Vgs(th) 0.8 to 1.5 V", "50 V, 0.2 A", "SOT-23", 1),
    "Q8": Part("PMOS_GSD", "AO3401A", "relay driver", "AO3401A", "Vgs(th) -0.5 to -1.3 V", "30 V, 4 A", "SOT-23", 1),
    "Q9": Part(
        "PNP_BEC", "MMBT3906", "second limiter: 0.65 V across R51", "MMBT3906LT1G", "-", "40 V, 0.2 A", "SOT-23", 1
    ),
    "Q10": Part(
        "PMOS_GSD",
        "AO3401A",
        "parts the cell from VSYS while a computer is plugged in",
        "AO3401A",
        "Vgs(th) -0.5 to -1.3 V",
        "30 V, 4 A",
        "SOT-23",
        1,
    ),
    "U2": Part("LM4040", "2.5V", "2.5 V shunt reference", "LM4040AIM3-2.5/NOPB", "0.1%", "60 uA to 15 mA", "SOT-23", 3),
    "U3": Part(
        "74LVC1G3157", "74LVC1G3157", "set-point switch", "SN74LVC1G3157DCKR", "-", "1.65 to 5.5 V", "SC-70-6", 2
    ),
    "U4": Part(
        "OpAmp_Dual",
        "MCP6022",
        "A: sink; B: buffer of the drain divider",
        "MCP6022-I/SN",
        "0.5 mV",
        "2.5 to 5.5 V",
        "SOIC-8",
        3,
    ),
    "U5": Part(
        "INA219",
        "INA219A",
        "current monitor, address 40h",
        "INA219AIDCNR",
        "0.5 %, 100 uV",
        "3 to 5.5 V",
        "SOT-23-8",
        3,
    ),
    "U7": Part(
        "INA226",
        "INA226",
        "second current monitor, high side, address 41h",
        "INA226AIDGSR",
        "0.1 %, 10 uV",
        "36 V, 2.7 to 5.5 V",
        "VSSOP-10",
        3,
    ),
    "U8": Part(
        "FRAM_I2C",
        "MB85RC256V",
        "record that survives, 32 KiB, address 50h",
        "MB85RC256VPNF-G-JNERE1",
        "-",
        "2.7 to 5.5 V",
        "SOIC-8",
        3,
    ),
    "U9": Part(
        "INA190",
        "INA190A5",
        "tells which way the current flows in the lead of E+",
        "INA190A5IDCKR",
        "gain 500, 15 uV",
        "-0.2 to 40 V",
        "SC-70-6",
        3,
    ),
    "U6": Part(
        "Boost_SOT23",
        "TPS61040",
        "boost converter to 24 V",
        "TPS61040DBVR",
        "Vfb 1.233 V, 2 %",
        "28 V, 0.4 A switch",
        "SOT-23-5 on SOT-23-6",
        3,
        "MT3608",
        "MT3608",
    ),
}
OTHERS = {
    "A1": Part(
        "Pico",
        "Pico",
        "Raspberry Pi Pico; not the W: it needs GP24, GP25 and GP29 itself",
        "SC0915",
        "-",
        "VSYS 1.8 to 5.5 V",
        "module",
        3,
    ),
    "BT1": Part("Battery", "Li-ion", "holder for one protected 18650 cell", "1042", "-", "3.0 to 4.2 V", "18650", 3),
    "F1": Part("Polyfuse", "0.5A", "resettable fuse", "MF-MSMF050-2", "-", "15 V, holds 0.5 A", "1812", 2),
    "L1": Part("L", "10u", "boost inductor", "LPS4018-103MRC", "20%", "1.3 A", "LPS4018", 2, "22u", "LPS4018-223MRC"),
    "K1": Part(
        "Relay_DPDT", "G6K-2F-Y", "polarity relay, 3 V coil of 91 ohm", "G6K-2F-Y DC3", "-", "3 V coil, 33 mA", "SMD", 3
    ),
    "SW1": Part(
        "Button_NC", "STOP", "STOP: latching mushroom, normally closed", "XB5AS8442", "-", "1 NC", "panel, 22 mm", 4
    ),
    "SW2": Part("Button_NO", "START", "START button", "B3F-1000", "-", "24 V, 50 mA", "6 x 6 mm", 2),
    "SW3": Part("Switch_SPST", "POWER", "power switch", "7101SYCQE", "-", "28 V DC, 5 A", "THT", 3),
    "BZ1": Part("Buzzer", "2.7kHz", "magnetic buzzer", "CMT-8504-100-SMT-TR", "-", "3.6 V, 0.1 A", "SMD", 2),
    "JP1": Part(
        "Strap_2x2", "BENCH", "bench strap, one double jumper cap", "TSW-102-07-G-D", "-", "-", "2x2, 2.54 mm", 1
    ),
    "JP2": Part("Strap_1x2", "MAINT", "maintenance strap, jumper cap", "TSW-102-07-G-S", "-", "-", "1x2, 2.54 mm", 1),
    "J2": Part("Jack", "E+", "electrode, red", "FCR7350R", "-", "shrouded", "panel, 4 mm", 3),
    "J3": Part("Jack", "E-", "electrode, black", "FCR7350B", "-", "shrouded", "panel, 4 mm", 3),
}
_PROBED = (
    "GND", "3V3", "RAIL_24V", "REF_2V5", "SETPOINT", "SNS", "SHUNT_HI", "PUMP", "HS_OUT", "DRAIN", "INTERLOCK_GATE",
    "LOOP_TIMING", "VBAT", "HEARTBEAT", "HS_GATE",
)  # fmt: skip
PARTS: dict[str, Part] = {
    **RESISTORS,
    **CAPACITORS,
    **SEMICONDUCTORS,
    **OTHERS,
    **{f"TP{index}": _probe(net) for index, net in enumerate(_PROBED, 1)},
}
