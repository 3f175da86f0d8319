"""The bench's connections as one table, printed for whoever wires it, and checked electrically.

The pins come from `ionto.pins`, the rest from the bench file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ionto import calibration, pins, protocol
from ionto_host.bench.benchfile import DECADE, FIXED, RELAYS, BenchFile, SwitchSpec
from ionto_host.doctor.findings import FAIL, Finding, bad, good, of_error
from ionto_host.errors import DeviceFaultError, IontoError, WiringError

if TYPE_CHECKING:
    from ionto_host.bench.loads import Load
    from ionto_host.bench.rig import Rig

HEARTBEAT_POINT, TIMING_POINT = "TP14", "TP12"  # test points of the board, hardware/pinout.md
ELECTRODES = ("J2", "J3")
PROBE_PART = 5  # of the highest current: the check uses a fifth of it
_BOARD_LOAD_ERROR = 0.05  # how well the board knows a load: divider, leads' resistors and the sensor
_BOARD_LOAD_ERROR_OHM = 60.0
_BOARD_CURRENT_ERROR = calibration.MAX_GAIN_PPM / 1e6  # no sound board is further off
_BOARD_CURRENT_ERROR_UA = 15.0
_IN_CIRCUIT = 0.3  # of the board's current: a meter that shows less is not in series


@dataclass(frozen=True)
class Connection:
    """One connection: what, to what, and why; `check` says how it is tested, "" when it cannot be."""

    source: str
    target: str
    why: str
    check: str = ""

    def words(self) -> str:
        """Return it as an instruction."""
        return f"connect {self.source} to {self.target}: {self.why}"


def connections(bench: BenchFile) -> list[Connection]:
    """Return everything that has to be connected for `bench`, in the order in which it is done."""
    rows = [*_straps(bench), *_load_circuit(bench)]
    if bench.meter.kind == "ina219":
        rows += _meter_bus(bench)
    elif any(spec.kind == "relay" for spec in (*dict(bench.load.relays).values(), *bench.switches.values())):
        rows.append(Connection(f"USB of the {bench.relay_bridge.upper()}", "the computer", "its pins drive the relays"))
    rows += [row for name, spec in bench.switches.items() if (row := _switch(bench, name, spec)) is not None]
    if bench.timing is not None:
        source = f"GP{pins.LOOP_TIMING} (test point {TIMING_POINT})"
        rows.append(Connection(source, f"the input of {bench.timing.resource}", "loop timing, high while a step runs"))
        rows.append(
            Connection("GND", "the ground of that instrument", "its reference; only if it floats from the load")
        )
    rows.append(Connection("USB of the Pico", f"this computer ({bench.port})", "the link", "HELLO is answered"))
    return rows


def _straps(bench: BenchFile) -> list[Connection]:
    found = []
    if bench.strap:
        found.append(
            Connection(
                f"GP{pins.BENCH_STRAP} (jumper JP1)",
                "GND",
                "the bench strap: sessions run with USB plugged in. Nobody is connected",
                "the board says that its strap is fitted",
            )
        )
    strap = "nothing" if bench.variant == "A" else "GND"
    why = f"variant {bench.variant}, a population option of the board and no jumper"
    found.append(Connection(f"GP{pins.RANGE_STRAP} (R26)", strap, why, "the board's variant"))
    return found


def _load_circuit(bench: BenchFile) -> list[Connection]:
    plus, minus = ELECTRODES
    meter = bench.meter.name
    words = {
        FIXED: f"the resistor of {bench.load.ohm:g} ohm",
        DECADE: f"the decade box ({bench.load.low_ohm:g} to {bench.load.high_ohm:g} ohm)",
    }.get(bench.load.kind, "the common side of the load relays")
    check = "the meter's current against the board's"
    return [
        Connection(f"{plus} (electrode, +)", f"IN+ of {meter}", "the current enters the meter here", check),
        Connection(f"IN- of {meter}", words, "meter and load in series", check),
        *[_load_relay(bench, ohm, spec) for ohm, spec in bench.load.relays],
        Connection("the other side of the load", f"{minus} (electrode, -)", "the way back", "the load the board sees"),
    ]


def _relay(bench: BenchFile, spec: SwitchSpec) -> str:
    return f"the relay on pin {spec.pin} of the {bench.relay_bridge.upper()}"


def _load_relay(bench: BenchFile, ohm: float, spec: SwitchSpec) -> Connection:
    relay = _relay(bench, spec) if spec.kind == "relay" else f"what `{spec.kind}` switches"
    return Connection(
        f"the resistor of {ohm:g} ohm",
        f"the common side of the load relays, through the make contact of {relay}",
        f"so that the load can be {ohm:g} ohm",
        "the load the board sees with this one connected",
    )


def _meter_bus(bench: BenchFile) -> list[Connection]:
    spec = bench.meter
    name = spec.bridge.upper()
    return [
        Connection(f"SDA and SCL of the {name}", f"SDA and SCL of {spec.name}", f"I2C, {spec.address:#04x}"),
        Connection("VCC of the meter", f"3.3 V of the {name}, not of the Pico", "its supply"),
        Connection(
            f"GND of meter and {name}",
            f"IN- of {spec.name}",
            "the meter floats with the load: about the board's ground it would draw 95 uA of its own at 24 V",
            "the meter's current against the board's",
        ),
        Connection(f"USB of the {name}", "the computer, through a USB isolator", "so that the meter can float"),
    ]


def _switch(bench: BenchFile, name: str, spec: SwitchSpec) -> Connection | None:
    if spec.kind != "relay":
        return None
    relay = f"of {_relay(bench, spec)}"
    places = {
        "heartbeat": (f"GP{pins.HEARTBEAT} (test point {HEARTBEAT_POINT})", "R16, through the break contact"),
        "stop": (f"GP{pins.STOP_SENSE}'s STOP loop", "itself, through the break contact"),
        "start": (f"GP{pins.START_BUTTON}", "GND, through the make contact"),
        "lift": (f"{ELECTRODES[0]} (electrode, +)", "the meter, through the break contact"),
        "usb": ("VBUS of the computer", "VBUS of the cable, through the make contact"),
        "power": ("the battery's +", "the board, through the make contact"),
    }
    source, target = places[name]
    return Connection(source, f"{target} {relay}", f"so that `{name}` can be switched")


# Electrically.


def check(rig: Rig) -> list[Finding]:
    """Return what an electrical check finds, least first: straps, output off, then a small current through the load."""
    found = [*_check_identity(rig), _check_range(rig)]
    if any(item.level == FAIL for item in found):
        return found
    for ohm in _resistors(rig.load):
        found.append(_check_load(rig, ohm))
        if found[-1].level == FAIL:
            break
    return found


def _resistors(load: Load) -> list[float]:
    """Return what is connected one after the other to be checked; what stays connected comes last."""
    return list(reversed(load.spec.choices_ohm)) if load.spec.kind == RELAYS and load.adjustable else [load.ohm]


def _check_load(rig: Rig, ohm: float) -> Finding:
    try:
        rig.load.set_ohm(ohm)  # a bench begins with every load relay open
        return _check_current(rig)
    except DeviceFaultError as error:
        return _of_fault(rig, error)
    except IontoError as error:
        return of_error("load circuit", error)


def require(rig: Rig) -> list[Finding]:
    """Check the wiring; `WiringError` with everything that fails and what to check."""
    found = check(rig)
    failed = [item for item in found if item.level == FAIL]
    if failed:
        text = "; ".join(f"{item.name}: {item.text}" for item in failed)
        raise WiringError(f"the bench is not wired as {rig.bench.path.name} says: {text}", failed[0].action)
    return found


def _check_identity(rig: Rig) -> list[Finding]:
    bench, hello = rig.bench, rig.device.hello()
    found = []
    if bench.board_id and hello.board_id.lower() != bench.board_id:
        text = f"the board is {hello.board_id}, the bench file says {bench.board_id}"
        found.append(bad("board", text, "Connect the board of the file, or correct board_id."))
    elif bench.board_id:
        found.append(good("board", f"{hello.board_id}, as in the file"))
    if hello.variant != bench.variant:
        text = f"the board is variant {hello.variant}, the bench file says {bench.variant}"
        found.append(bad("variant", text, f"Correct the file, or check the range strap at GP{pins.RANGE_STRAP}."))
    else:
        found.append(good("variant", f"{hello.variant}, as in the file"))
    fitted = rig.device.status().flag(protocol.FLAG_BENCH_STRAP)
    if fitted != bench.strap:
        text = f"the bench strap is {'fitted' if fitted else 'missing'}, the bench file says the contrary"
        found.append(bad("bench strap", text, f"Fit JP1 (GP{pins.BENCH_STRAP} to GND), or correct bench_strap."))
    else:
        found.append(good("bench strap", "as in the file"))
    return found


def _check_range(rig: Rig) -> Finding:
    """Look whether the meter reaches the highest current that the board may drive."""
    hello, range_ua = rig.device.identity, rig.meter.accuracy.range_ua
    most_ua = min(hello.limits["max_current_ua"], hello.settings.get("max_current_ua", hello.limits["max_current_ua"]))
    words = f"{range_ua / 1000:g} mA, the board drives up to {most_ua / 1000:g} mA"
    if range_ua < most_ua:
        return bad(
            "meter range",
            words,
            "Choose a larger range and say so in range_ma.",
            range_ua=range_ua,
            max_current_ua=most_ua,
        )
    return good("meter range", words)


def _check_current(rig: Rig) -> Finding:
    """Let a small current flow and compare meter, board and file."""
    from ionto_host.bench import measuring

    limits = rig.device.identity.limits
    current_ua = max(limits["max_current_ua"] // PROBE_PART, limits["min_current_ua"])
    with measuring.session(rig, current_ua):
        seen = measuring.steady(rig, 15)
    return judge(
        rig.bench,
        seen.meter_ua,
        seen.board_ua,
        seen.load_ohm,
        rig.load.ohm,
        rig.meter.accuracy.uncertainty_ua(current_ua),
    )


def judge(
    bench: BenchFile, meter_ua: float, board_ua: float, seen_ohm: float, file_ohm: float, uncertainty_ua: float
) -> Finding:
    """Return what the three readings say about the wiring; the pure part of the check."""
    data: dict[str, Any] = {"meter_ua": meter_ua, "board_ua": board_ua, "load_ohm": seen_ohm, "file_ohm": file_ohm}
    meter, board = f"{meter_ua / 1000:.3f} mA", f"{board_ua / 1000:.3f} mA"
    allowed_ua = board_ua * _BOARD_CURRENT_ERROR + _BOARD_CURRENT_ERROR_UA + uncertainty_ua
    if abs(meter_ua + board_ua) <= allowed_ua:
        text = f"the meter shows {meter} where the board drives {board}: it is the wrong way round"
        return bad("meter", text, "Exchange the meter's two leads: J2 goes to IN+.", **data)
    if abs(meter_ua) < _IN_CIRCUIT * board_ua:
        text = f"the meter shows {meter} where the board drives {board}: it is not in series with the load"
        return bad("meter", text, "Connect J2 to IN+, IN- to the load, and look for a lead beside the meter.", **data)
    if abs(meter_ua - board_ua) > allowed_ua:
        text = (
            f"the meter shows {meter} where the board drives {board}: {abs(meter_ua / board_ua - 1) * 100:.1f} % apart"
        )
        action = "Check the meter's shunt_ohm, its range and its address in the bench file, and the board's own shunt."
        return bad("meter", text, action, **data)
    tolerance = bench.load.tolerance_ppm / 1e6 + _BOARD_LOAD_ERROR
    if abs(seen_ohm - file_ohm) > file_ohm * tolerance + _BOARD_LOAD_ERROR_OHM:
        text = f"the board sees a load of {seen_ohm:.0f} ohm, the bench file says {file_ohm:g} ohm"
        return bad("load", text, "Check which resistor is connected, and load.ohm in the bench file.", **data)
    return good(
        "load circuit", f"meter {meter}, board {board}, load {seen_ohm:.0f} ohm ({file_ohm:g} in the file)", **data
    )


def _of_fault(rig: Rig, error: DeviceFaultError) -> Finding:
    """Return the finding of a session that ended in a fault."""
    action = f"Check the leads from {ELECTRODES[0]} through meter and load to {ELECTRODES[1]}. {error.action}"
    return bad(
        "load circuit", f"the board ends the session: {error.message}", action, error.exit_code, fault=error.details
    )
