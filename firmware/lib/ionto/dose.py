"""A dose as it comes: parsed from its canonical bytes and validated against the limits.

The wire and flash form is compact JSON with sorted keys and integer units. The same bytes are hashed on both
sides, so that a read-back digest proves that the device holds what the person confirmed.
"""

import json

from ionto import faults
from ionto.compat import const
from ionto.faults import Refusal
from ionto.limits import (
    MAX_EDGE_MS,
    MAX_EXTENSION_PCT,
    MAX_PERIOD_MS,
    MAX_STARTS,
    MAX_TURNS,
    MIN_EDGE_MS,
    MIN_PULSE_LEVEL_MS,
    MIN_STRETCH_MS,
    Limits,
)
from ionto.plan import INTERVAL, POLE_NEGATIVE, POLE_POSITIVE, PULSED, REVERSALS, WAVEFORMS, Dose
from ionto.version import DOSE_SCHEMA_VERSION

MAX_BYTES = const(1024)
MAX_TEXT = const(40)
MAX_SCREENING = const(240)

# field: type; every one is required but `screening`, printable ASCII: what was asked before it was pushed, and answered
FIELDS = {
    "schema": int,
    "name": str,
    "drug": str,
    "site": str,
    "current_ua": int,
    "dose_uc": int,
    "area_mm2": int,
    "polarity": int,
    "ramp_up_ms": int,
    "ramp_down_ms": int,
    "waveform": str,
    "pulse_on_ms": int,
    "pulse_off_ms": int,
    "pulse_edge_ms": int,
    "reversal": str,
    "reversal_interval_ms": int,
    "max_extension_pct": int,
    "starts": int,
    "max_density_ua_cm2": int,
    "screening": str,
}
OPTIONAL = "screening"


def canonical(fields: dict) -> bytes:
    """Return the canonical bytes of a dose given as `{field: value}`: compact JSON, keys sorted."""
    body = ",".join("%s:%s" % (json.dumps(name), json.dumps(fields[name])) for name in sorted(fields))
    return ("{" + body + "}").encode()


def parse(raw: "bytes | bytearray | memoryview", limits: Limits) -> Dose:
    """Return the `Dose` in `raw` (bytes) when every limit of `limits` admits it; raise `Refusal` otherwise."""
    if len(raw) > MAX_BYTES:
        raise Refusal(faults.OUT_OF_RANGE, "length_bytes", len(raw), 2, MAX_BYTES)
    try:
        fields = json.loads(bytes(raw))
    except ValueError:
        raise Refusal(faults.BAD_PAYLOAD, "dose", "not JSON")
    _check_shape(fields)
    dose = Dose(fields, bytes(raw))
    _check_ranges(dose, limits)
    _check_relations(dose, limits)
    return dose


def _check_shape(fields: dict) -> None:
    if not isinstance(fields, dict):
        raise Refusal(faults.WRONG_TYPE, "dose", type(fields).__name__)
    for name in fields:
        if name not in FIELDS:
            raise Refusal(faults.UNKNOWN_FIELD, str(name)[:MAX_TEXT])
    for name, kind in FIELDS.items():
        if name not in fields:
            if name == OPTIONAL:
                continue
            raise Refusal(faults.MISSING_FIELD, name)
        value = fields[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise Refusal(faults.WRONG_TYPE, name, str(value)[:MAX_TEXT])
        most = MAX_SCREENING if name == OPTIONAL else MAX_TEXT
        if kind is str and len(value) > most:
            raise Refusal(faults.OUT_OF_RANGE, name, len(value), 0, most)
    for character in fields.get(OPTIONAL, ""):
        if not " " <= character <= "~":
            raise Refusal(faults.OUT_OF_RANGE, OPTIONAL, "no printable ASCII", "space to ~", None)


def _check_ranges(dose: Dose, limits: Limits) -> None:
    ranges = (
        ("schema", DOSE_SCHEMA_VERSION, DOSE_SCHEMA_VERSION),
        ("current_ua", limits.min_current_ua, limits.max_current_ua),
        ("dose_uc", limits.min_dose_uc, limits.max_dose_uc),
        ("area_mm2", limits.min_area_mm2, limits.max_area_mm2),
        ("ramp_up_ms", limits.min_ramp_ms, limits.max_ramp_ms),
        ("ramp_down_ms", limits.min_ramp_ms, limits.max_ramp_ms),
        ("max_extension_pct", 0, MAX_EXTENSION_PCT),
        ("starts", 1, MAX_STARTS),
        ("max_density_ua_cm2", 1, limits.max_density_ua_cm2),
    )
    for name, low, high in ranges:
        _within(name, getattr(dose, name), low, high)
    if dose.polarity not in (POLE_NEGATIVE, POLE_POSITIVE):
        raise Refusal(faults.OUT_OF_RANGE, "polarity", dose.polarity, POLE_NEGATIVE, POLE_POSITIVE)
    for name, words in (("waveform", WAVEFORMS), ("reversal", REVERSALS)):
        if getattr(dose, name) not in words:
            raise Refusal(faults.OUT_OF_RANGE, name, getattr(dose, name), ", ".join(words), None)
    _check_pulses(dose, limits)
    _check_interval(dose, limits)


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise Refusal(faults.OUT_OF_RANGE, name, value, low, high)


def _check_pulses(dose: Dose, limits: Limits) -> None:
    if dose.waveform != PULSED:
        for name in ("pulse_on_ms", "pulse_off_ms", "pulse_edge_ms"):
            _within(name, getattr(dose, name), 0, 0)
        return
    _within("pulse_edge_ms", dose.pulse_edge_ms, MIN_EDGE_MS, MAX_EDGE_MS)
    low = MIN_PULSE_LEVEL_MS + dose.pulse_edge_ms
    _within("pulse_on_ms", dose.pulse_on_ms, low, MAX_PERIOD_MS - low)
    _within("pulse_off_ms", dose.pulse_off_ms, low, MAX_PERIOD_MS - dose.pulse_on_ms)
    _within("mean_current_ua", dose.mean_ua(), limits.min_current_ua, limits.max_current_ua)


def _check_interval(dose: Dose, limits: Limits) -> None:
    if dose.reversal != INTERVAL:
        _within("reversal_interval_ms", dose.reversal_interval_ms, 0, 0)
        return
    low = dose.ramp_up_ms + dose.ramp_down_ms + MIN_STRETCH_MS
    _within("reversal_interval_ms", dose.reversal_interval_ms, low, limits.max_session_ms)
    _within("reversals", dose.turns(), 0, MAX_TURNS)


def _check_relations(dose: Dose, limits: Limits) -> None:
    density = dose.density_ua_cm2()
    if density > dose.max_density_ua_cm2:
        raise Refusal(faults.DENSITY_TOO_HIGH, "density_ua_cm2", density, 0, dose.max_density_ua_cm2)
    ramps_uc = (dose.turns() + 1) * dose.ramps_uc()
    if dose.dose_uc < ramps_uc:
        raise Refusal(faults.RAMPS_EXCEED_DOSE, "dose_uc", dose.dose_uc, ramps_uc, limits.max_dose_uc)
    if dose.duration_ms() > limits.max_session_ms:
        raise Refusal(faults.SESSION_TOO_LONG, "duration_ms", dose.duration_ms(), 0, limits.max_session_ms)
