"""Component values of the two build variants, from the board's design (hardware/README.md)."""

_COMMON = {
    "reference_v": 2.5,
    "reference_error": 0.0005,
    "opamp_offset_v": 80e-6,
    "shunt_ohm": 10.0,
    "divider_ohm": 10.98e6,
    "rail_v": 24.0,
    "rail_rise_us": 1200.0,
    "boost_diode_v": 0.35,
    "boost_min_v": 3.2,
    "battery_v": 3.9,
    "schottky_v": 0.25,
    "usb_vsys_v": 4.7,
    "relay_us": 4000,
    "relay_hold_us": 220_000,  # of its driver after the pin went low: outlasts the dead-man
    "pump_v": 3.01,  # 3.3 V less two BAS70
    "pump_c1_nf": 23.5,
    "pump_c2_nf": 150.0,
    "pump_kohm": 375.0,
    "gate_v": 1.07,  # BSS138 at the 5 uA that hold the high side
    "interlock_us": 270.0,  # as a time constant of the pump output, so that the high side opens 0.18 ms after VBUS
    "ina_gain": 1.001,
    "ina_offset_uv": 12.0,
    "ina_noise_uv": 6.0,
    "second_gain": 0.9995,
    "second_offset_uv": 12.0,  # its bias of 1 uA with R55 in it; in B with less
    "second_noise_uv": 3.0,
    "adc_noise_lsb": 1.2,
    "adc_wide_lsb": 9.0,  # four codes of the RP2040 (erratum E11); 1: none is
    "seed": 1,
}

_VARIANTS = {
    "A": {
        "sense_ohm": 191.0,
        "second_ohm": 10.0,
        "lead_ohm": 300.0,
        "high_ohm": 262.0,
        "sink_ohm": 24.0,
        "pole_ua": 22.0,  # from there on the pole's line is high
        "ceiling_ua": 5136.0,
        "closing_ua": 4930.0,  # for microseconds, when the output closes on a sink that is full on
        "rail_uf": 1.1,
        "rail_bleed_kohm": 696.0,  # the boost's divider and the ADC's
    },
    "B": {
        "sense_ohm": 191.0 * 35.7 / (191.0 + 35.7),
        "second_ohm": 10.0 * 3.32 / (10.0 + 3.32),
        "lead_ohm": 66.0,
        "high_ohm": 53.0,
        "sink_ohm": 17.4,
        "pole_ua": 100.0,
        "ceiling_ua": 27320.0,
        "closing_ua": 15_000.0,
        "rail_uf": 4.8,
        "rail_bleed_kohm": 293.0,
    },
}

IDEAL = {
    "reference_error": 0.0,
    "opamp_offset_v": 0.0,
    "ina_gain": 1.0,
    "ina_offset_uv": 0.0,
    "ina_noise_uv": 0.0,
    "adc_wide_lsb": 1.0,
    "second_gain": 1.0,
    "second_offset_uv": 0.0,
}


def board(variant: str, **changes: float) -> dict:
    """Return the values of variant "A" or "B" with `changes`; ValueError for an unknown variant or name."""
    if variant not in _VARIANTS:
        raise ValueError("variant must be A or B, got %r" % (variant,))
    values = dict(_COMMON)
    values.update(_VARIANTS[variant])
    for name in changes:
        if name not in values:
            raise ValueError("unknown board parameter %r; known: %s" % (name, ", ".join(sorted(values))))
    values.update(changes)
    return values
