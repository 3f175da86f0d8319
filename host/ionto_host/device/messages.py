"""Words for every code of `ionto.faults`: what it means, and what to do next."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from ionto import faults
from ionto_host.errors import DeviceFaultError, IontoError, RefusedError
from ionto_host.tables import fault_names
from ionto_host.units import human, ma_min, printable, signed_percent


class Message(NamedTuple):
    """What a code means to a person, and the next action."""

    text: str
    action: str


_UPDATE = "Install the firmware that belongs to this host tool with `ionto flash`."
_CORRECT = "Correct the dose file and push it again; `ionto dose check FILE` explains every number."
_SERVICE = "Connect no load until this is found; then `ionto clear` and `ionto selftest`."
_LIMITS = "`ionto limits show` prints the limits and their ranges."
_CLEAR = "Remove the cause, then `ionto clear`."

TEXT_FIELDS = ("name", "drug", "site", "waveform", "reversal")  # of a dose; the device refuses them by their length
_FIELD_ACTIONS = {  # where the refusal of a value is about something else than the dose
    "unix_time_s": "Correct the clock of this computer, then `ionto clock set`.",
    "offset": "`ionto logs list` shows the logs and their sizes.",
    "length": _UPDATE,
    "max_current_ua": _LIMITS,
    "max_dose_uc": _LIMITS,
}

MESSAGES: dict[int, Message] = {
    faults.NONE: Message("no fault", ""),
    faults.BAD_FRAME: Message("a frame arrived damaged", "Retry; if it repeats, change the cable or the USB port."),
    faults.UNKNOWN_COMMAND: Message("the device does not know this command", _UPDATE),
    faults.BAD_PAYLOAD: Message("the device cannot read this request", _UPDATE),
    faults.WRONG_PROTOCOL: Message("device and host speak different protocol versions", _UPDATE),
    faults.OUT_OF_RANGE: Message("a value is outside its range", _CORRECT),
    faults.MISSING_FIELD: Message("a field is missing from the dose", _CORRECT),
    faults.UNKNOWN_FIELD: Message("the dose has a field that the device does not know", _CORRECT),
    faults.WRONG_TYPE: Message("a field of the dose has the wrong type", _CORRECT),
    faults.DENSITY_TOO_HIGH: Message(
        "the current density is above the limit of the dose", "Use a larger electrode or a smaller current."
    ),
    faults.RAMPS_EXCEED_DOSE: Message(
        "the ramps alone would deliver more than the dose", "Shorten the ramps or raise the dose."
    ),
    faults.SESSION_TOO_LONG: Message(
        "the session would take longer than the device allows", "Raise the current or lower the dose."
    ),
    faults.NO_DOSE: Message("the device holds no dose", "Push one with `ionto dose push FILE`."),
    faults.WRONG_STATE: Message("the device cannot do this in its present state", "`ionto status` shows the state."),
    faults.OUTPUT_ON: Message(
        "the device does not do this while current flows",
        "Wait for the end, or end the session with `ionto abort`.",
    ),
    faults.USB_PRESENT: Message(
        "the output stays off while a computer is plugged in",
        "Unplug USB and press START; on a bench without a person, fit the bench strap.",
    ),
    faults.FAULT_LATCHED: Message("a fault is latched", "`ionto status` names it; clear it with `ionto clear`."),
    faults.CAUSE_REMAINS: Message("the cause of the fault is still there", _CLEAR),
    faults.NO_SUCH_LOG: Message("the device has no log of this id", "`ionto logs list` shows those it has."),
    faults.FLASH_FAILED: Message(
        "the board's flash did not answer",
        "Try again; if it stays, pull the logs that can be read and flash the board with `ionto flash`.",
    ),
    faults.STOP_OPEN: Message("STOP is pressed, or its loop is open", "Release STOP and check its plug and wires."),
    faults.NO_STARTS_LEFT: Message(
        "every start of the dose that the device keeps is used up", "Push the dose again with `ionto dose push FILE`."
    ),
    faults.NEEDS_HAND: Message(
        "the device does this only with a hand on the board",
        "Press START briefly and repeat the command within 10 s, or fit the bench strap.",
    ),
    faults.LIMITS_EXCEEDED: Message(
        "the dose is above a limit that was set on this device",
        "Correct the dose file, or raise the limit: `ionto limits show` and `ionto limits set`.",
    ),
    faults.OTHER_LOG: Message(
        "the log on the device is not the one that was verified", "Pull it again: `ionto logs pull`; then retry."
    ),
    faults.EVENTS_FULL: Message(
        "so much has happened in this session that its log has room for its end only",
        "It goes on to its end by itself; `ionto comfort pain` or `ionto abort` end it now.",
    ),
    faults.CURRENT_REMAINS: Message(
        "a current is still measured although the output is off; nothing is written to flash before it has ended",
        "Try again in a second. If it stays, disconnect the load: `ionto status` shows what is measured.",
    ),
    faults.SENSOR_STALE: Message("the current sensor gave no fresh sample in time", _SERVICE),
    faults.SENSOR_STUCK: Message("the current sensor gives the same value whatever flows", _SERVICE),
    faults.SENSOR_CONFIG: Message(
        "the current sensor lost its configuration",
        "Check the 3.3 V supply of the INA219, then `ionto clear`.",
    ),
    faults.SENSOR_MISSING: Message(
        "the current sensor does not answer",
        "Check SDA, SCL, supply and ground of the INA219, then `ionto clear`.",
    ),
    faults.SENSE_DISAGREE: Message(
        "the two independent readings of the current disagree: a part of the measurement is broken, or a contact comes "
        "and goes within a millisecond",
        "Check leads and plugs for one that rattles. " + _SERVICE,
    ),
    faults.ADC_STUCK: Message("the independent reading of the current gives the same value whatever flows", _SERVICE),
    faults.SECOND_SENSOR: Message(
        "the second current sensor (INA226) does not answer, does not convert or has lost its configuration", _SERVICE
    ),
    faults.LOAD_DISAGREE: Message(
        "the load gets another current than is counted: one leaks past the measurement, or one of two sensors is off",
        "Do not use the electrodes: they may have had more than the log says. Look for moisture and solder bridges "
        "about SNS and the drain, and compare both sensors with a meter (`ionto calibrate`).",
    ),
    faults.OVER_CURRENT: Message(
        "the current rose above the dose; the output was switched off",
        "Check the load for a sudden short, then `ionto clear`.",
    ),
    faults.OVER_CURRENT_ABSOLUTE: Message(
        "the current rose above the limit of the board; the output was switched off", _SERVICE
    ),
    faults.CURRENT_WHEN_OFF: Message(
        "a current is measured although the output is off", "Disconnect the load. " + _SERVICE
    ),
    faults.UNDER_CURRENT: Message(
        "the current stayed below its set-point", "Check the contact and the wiring, then `ionto clear`."
    ),
    faults.CHARGE_EXCEEDED: Message("more charge was delivered than prescribed; the output was switched off", _SERVICE),
    faults.TIME_EXCEEDED: Message(
        "the session took longer than it may", "Improve the contact of the electrodes, then `ionto clear`."
    ),
    faults.WRONG_POLE: Message(
        "the current flowed the other way than the dose says, or what tells the direction has failed; "
        "the output was switched off",
        "Relay K1, its driver, U9, R20. The drug was not driven as planned: see the log. " + _SERVICE,
    ),
    faults.OPEN_CIRCUIT: Message(
        "the circuit is open: an electrode is off, a lead is loose, or a part of the output does not conduct",
        "Re-attach the electrode, then `ionto clear`.",
    ),
    faults.SHORT_CIRCUIT: Message(
        "the electrodes or the leads are shorted",
        "Separate the electrodes and check the leads, then `ionto clear`.",
    ),
    faults.LOAD_OUT_OF_RANGE: Message(
        "an electrode hardly touches: less than 1/8 of the current flows, through a small area",
        "Re-attach the electrode, moisten it, then `ionto clear`.",
    ),
    faults.RAIL_LOW: Message(
        "the 24 V rail is measured as too low",
        "Check the battery, the boost converter and the rail's divider, then `ionto clear`.",
    ),
    faults.RAIL_HIGH: Message("the 24 V rail is too high", "Check the trimmer of the boost converter. " + _SERVICE),
    faults.BATTERY_LOW: Message("the battery is too low", "Replace or charge the battery, then `ionto clear`."),
    faults.USB_APPEARED: Message(
        "a computer was plugged in during the session, if only for a moment; the output was switched off",
        "`ionto clear`, unplug USB and start again.",
    ),
    faults.INTERLOCK_BLIND: Message(
        "the USB interlock does not see the computer that is plugged in: it would not cut the output",
        "Check D13, R18, R19, C17 and R57. " + _SERVICE,
    ),
    faults.LATE_LOOP: Message("the control loop was late; the output was switched off", _SERVICE),
    faults.UNPLANNED_RESET: Message(
        "the board reset by itself: its firmware hung or stopped with an error, or the supply failed; "
        "a session that ran was cut short and its log closed",
        "Pull the logs, check supply and wiring, then `ionto clear`. When it comes again, `ionto flash` and report it.",
    ),
    faults.VARIANT_MISMATCH: Message(
        "the variant strap does not match the board", "Check the strap on GP8; see the build guide."
    ),
    faults.LIMITS_BROKEN: Message(
        "the limits contradict each other, or the settable ones are damaged on flash",
        "`ionto limits show`; `ionto limits set` writes them anew, or `ionto flash`; then `ionto clear`.",
    ),
    faults.FILES_DAMAGED: Message(
        "self-test: a file of the firmware is not what was installed",
        "Install the firmware with `ionto flash`; if it repeats, the flash memory of the board is worn.",
    ),
    faults.LOG_WRITE_FAILED: Message(
        "the board's flash did not take a log or the settings",
        "Pull the logs with `ionto logs pull`, then `ionto clear`.",
    ),
    faults.FILESYSTEM_FULL: Message(
        "the board's flash has no room for another log",
        "Make room with `ionto logs pull --delete`; a fault is then cleared with `ionto clear`.",
    ),
    faults.SELFTEST_SENSOR: Message(
        "self-test: the current sensor is not right", "Check the wiring of the INA219, then `ionto clear`."
    ),
    faults.SELFTEST_OFFSET: Message("self-test: the sensor shows current while none may flow", _SERVICE),
    faults.SELFTEST_RAIL: Message(
        "self-test: the 24 V rail is out of range",
        "Check the battery and the boost converter, then `ionto clear`.",
    ),
    faults.SELFTEST_LATENT_SWITCH: Message("self-test: the cut-off switch does not cut", _SERVICE),
    faults.SELFTEST_LATENT_SETPOINT: Message("self-test: current flows at a set-point of zero", _SERVICE),
    faults.SELFTEST_BATTERY: Message(
        "self-test: the battery is too low", "Replace or charge the battery, then `ionto clear`."
    ),
    faults.SELFTEST_NO_CURRENT: Message(
        "self-test: the small current asked for does not flow, although a load is there", _SERVICE
    ),
    faults.SELFTEST_SENSE: Message("self-test: the two independent readings of the current disagree", _SERVICE),
    faults.SELFTEST_LOAD: Message(
        "self-test: no load, or one that not even the smallest current can pass",
        "Check that the electrodes and leads are connected, then `ionto clear`. If so, the switch does not close.",
    ),
    faults.SELFTEST_STOP: Message(
        "self-test: STOP is pressed, or its loop is open",
        "Release STOP and check its plug and wires, then `ionto clear`.",
    ),
    faults.SELFTEST_VOLTAGE: Message(
        "self-test: the load's voltage is not 0 without a current: a divider at the drain or at the rail is off",
        _SERVICE,
    ),
    faults.SELFTEST_SECOND: Message(
        "self-test: the second current sensor (INA226) does not answer, does not convert or is not configured",
        "Check its supply, its address pins (A0 to 3V3, A1 to GND: 41h) and both bus lines, then `ionto clear`.",
    ),
    faults.SELFTEST_LEAK: Message(
        "self-test: the second current sensor finds another current than the first: one leaks past the measurement",
        "Look for moisture and solder bridges about SNS, the drain and the electrodes, then `ionto clear`.",
    ),
    faults.SELFTEST_DEADMAN_HIGH: Message(
        "self-test: with the heartbeat stopped high, the dead-man did not end the current within 12 to 110 ms",
        "Too late: C4, C23, R17, R48, R14, R49, Q2, Q3. "
        "Too early: the heartbeat's line, C5, D1, or an electrode that moved. " + _SERVICE,
    ),
    faults.SELFTEST_DEADMAN_LOW: Message(
        "self-test: with the heartbeat stopped low, the dead-man did not end the current within 12 to 110 ms",
        "Too late: R17, R48, R14, R49, Q2, Q3. Too early: C5, D1, or an electrode that moved. " + _SERVICE,
    ),
    faults.SELFTEST_RELAY: Message(
        "self-test: the coil of the polarity relay does not follow its pin, or is not held for 120 to 400 ms after it",
        "Q6, Q8, C22, D12, R44 to R47, R63. " + _SERVICE,
    ),
    faults.SELFTEST_POLE: Message(
        "self-test: the current flows the other way than the relay was set, or what tells the direction has failed",
        "Relay K1, the wires to the electrodes, U9, R20, R60 to R62. " + _SERVICE,
    ),
    faults.SELFTEST_INTERLOCK: Message(
        "self-test: the USB interlock does not end the current within 8 ms, or holds the output off without a computer",
        "Q5, R18, R19, C17, R57, D13. " + _SERVICE,
    ),
}


MADE_ANEW = "This board's file system was made anew since it was last here: logs not pulled by then are lost."
PULL = (
    "`ionto logs pull` fetches what is left of its log: the samples lay in RAM and are lost; until then this is told."
)


def cut_short(sessions: list[tuple[int, int | None]]) -> str:
    """Return what there is to say of `sessions` (id, charge in uC or None) that a reset or a power loss ended."""
    charges = [
        (log_id, "an unknown charge" if uc is None else f"at least {ma_min(uc):.3f} mA*min") for log_id, uc in sessions
    ]
    return "; ".join(f"session {log_id} was cut short after {charge}" for log_id, charge in charges)


def name_of(code: int) -> str:
    """Return the name of `code` in `ionto.faults`, or `CODE_n` for one that this version does not know."""
    return fault_names().get(code, f"CODE_{code}")


def message_for(code: int) -> Message:
    """Return the words for `code`; a general text for a code of a newer firmware."""
    return MESSAGES.get(code, Message(f"the device answers code {code}, unknown to this host tool", _UPDATE))


def error_for(detail: dict[str, Any]) -> IontoError:
    """Return the exception for a refusal or fault as the device sends it: code, field, value, low, high."""
    code = int(detail.get("code", faults.NONE))
    message = message_for(code)
    kind = DeviceFaultError if faults.is_fault(code) else RefusedError
    named = {key: value for key, value in detail.items() if value not in (None, "")}
    action = _FIELD_ACTIONS.get(str(detail.get("field")), message.action)
    text = message.text + _explain(detail)
    if code in (faults.WRONG_STATE, faults.OUTPUT_ON) and detail.get("state"):
        text += f": it is in {detail['state']}"
    return kind(text, action, **{**named, "code": code, "name": name_of(code)})


def _explain(detail: dict[str, Any]) -> str:
    field, value = str(detail.get("field") or ""), detail.get("value")
    if not field:
        return ""
    low, high = detail.get("low"), detail.get("high")
    if field in TEXT_FIELDS and isinstance(value, int):
        return f": {field} has {value} characters, allowed {low} to {high}"
    text = f": {field}" if value is None else f": {field} is {printable(human(field, value))}"
    if low is not None and high is not None:
        return f"{text}, allowed {human(field, low)} to {human(field, high)}"
    return text if low is None else f"{text}, allowed {human(field, low)}"


def calibration_words(values: Mapping[str, Any]) -> str:
    """Return the calibration `values` that a board tells, in words."""
    if values.get("state") == "damaged":
        return "DAMAGED, the sensor's own scale holds: `ionto calibrate`"
    if values.get("state") != "kept":
        return "none: the sensor's own scale holds"
    made = time.strftime("%Y-%m-%d", time.gmtime(values["time_unix_s"]))
    return f"{made}, gain {signed_percent(values['gain_ppm'])}, zero {values['zero_ua']:+d} uA, by {values['meter']}"
