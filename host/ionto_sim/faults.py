"""The fault switches: one table of name, where it acts, and what it does.

Kinds: `circuit` acts on the analogue board, `sensor` on the INA219, the INA226 or their bus, `chip` on the Pico. One in
`MOMENTARY` happens once when it is switched on.
"""

TABLE = (
    ("electrode_lift", "circuit", "an electrode is off the skin: open load"),
    ("electrode_short", "circuit", "the electrodes touch: shorted load"),
    ("sink_stuck_high", "circuit", "op-amp stuck high or sink FET shorted: ceiling current whatever the set-point"),
    ("sink_stuck_low", "circuit", "op-amp stuck low: only the divider's 2 uA flow"),
    ("sense_leak", "circuit", "the sense node leaks to ground as much as it is to measure: the load gets it twice"),
    ("sense_short", "circuit", "Rs shorted: the sink regulates on the shunt alone, up to the ceiling"),
    ("shunt_short", "circuit", "shunt shorted: 5 % more current, the INA219 reads 0"),
    ("shunt_open", "circuit", "shunt open: no current"),
    ("reference_open", "circuit", "set-point reference open: up to 13 % more than full scale"),
    ("pwm_stuck_high", "circuit", "set-point switch stuck on the reference: full-scale current"),
    ("pwm_stuck_low", "circuit", "set-point switch stuck on ground: no set-point"),
    ("q3_short", "circuit", "Q3 shorted: the dead-man has no effect, STOP still cuts (latent)"),
    ("highside_short", "circuit", "high-side FET shorted: neither dead-man nor STOP cuts (latent)"),
    ("limiter_failed", "circuit", "high-side limiter gone: no ceiling (latent)"),
    ("bleeder_open", "circuit", "both bleeders of the dead-man are open: it holds for seconds (latent)"),
    (
        "pump_coupled",
        "circuit",
        "both coupling capacitors are shorted: the dead-man holds while the pin is high (latent)",
    ),
    ("gate_floats", "circuit", "both gate resistors of the high side are open: it closes 0.3 s late (latent)"),
    ("interlock_dead", "circuit", "the interlock's transistor does not cut (latent)"),
    ("interlock_blind", "circuit", "the interlock does not see a computer (latent)"),
    ("heartbeat_stuck_low", "circuit", "the heartbeat line no longer rises"),
    ("heartbeat_stuck_high", "circuit", "the heartbeat line stays high"),
    ("heartbeat_slow", "circuit", "one edge in ten of the heartbeat gets through: 25 Hz instead of 250"),
    ("boost_dead", "circuit", "the boost converter does not start: the rail is at battery voltage"),
    ("rail_low", "circuit", "the rail reaches 15 V only"),
    ("rail_high", "circuit", "the boost converter's feedback is open: the zener at its tolerance holds 28.3 V"),
    ("battery_low", "circuit", "the battery is at 2.9 V and drops the rail"),
    ("stop_broken", "circuit", "the STOP loop is broken, as if STOP were pressed"),
    ("relay_stuck", "circuit", "the polarity relay does not move"),
    ("relay_driver_on", "circuit", "the polarity relay's driver is shorted: its coil is driven whatever the pin says"),
    ("relay_unheld", "circuit", "the polarity relay falls back with its pin (latent)"),
    ("pole_sense_dead", "circuit", "what tells the direction of the current always says E-"),
    ("relay_flips", "circuit", "the polarity relay changes over by itself, and stays on the wrong side"),
    ("drain_sense_open", "circuit", "the drain divider is open: the ADC reads 0 there"),
    ("rail_sense_open", "circuit", "the rail divider is open: the ADC reads 0 there"),
    ("sns_sense_open", "circuit", "V(SNS) does not reach the ADC, which reads 0 there"),
    ("sensor_stuck", "sensor", "the INA219 keeps its last shunt reading"),
    ("sensor_missing", "sensor", "the INA219 does not acknowledge: OSError EIO"),
    ("i2c_dead", "sensor", "SDA held low for good: every transfer times out"),
    ("i2c_hang", "sensor", "SDA held low until nine clock pulses free it"),
    ("sensor_reset", "sensor", "brown-out of the INA219: configuration back to 399Fh"),
    ("second_stuck", "sensor", "the INA226 does not convert any more and keeps its last reading"),
    ("second_missing", "sensor", "the INA226 does not acknowledge: OSError EIO"),
    ("second_gain", "sensor", "the INA226 reads 20 % too much"),
    ("second_reset", "sensor", "brown-out of the INA226: configuration back to 4127h"),
    ("loop_hung", "chip", "the firmware does not return from its next call to the hardware"),
    ("firmware_exception", "chip", "the next call to the hardware raises RuntimeError"),
    ("loop_late", "chip", "something keeps the CPU from the firmware for 10 ms, once"),
    ("flash_fails", "chip", "every erase or program of the flash raises OSError EIO"),
    ("flash_full", "chip", "every erase of the flash raises OSError ENOSPC: no free block is left"),
    ("adc_stuck", "chip", "the ADC keeps its last reading of every channel"),
)

MOMENTARY = ("sensor_reset", "second_reset", "firmware_exception", "loop_late")
KINDS = {name: kind for name, kind, _ in TABLE}


def describe() -> dict:
    """Return `{name: description}`."""
    return {name: text for name, _, text in TABLE}
