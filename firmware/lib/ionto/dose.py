"""A dose: parsed from its canonical bytes, validated against the limits, with what follows from it.

The wire and flash form is compact JSON with sorted keys and integer units. The same bytes are hashed on both
sides, so that a read-back digest proves that the device holds what the person confirmed.
"""

import binascii
import hashlib
import json

from ionto import faults
from ionto.compat import const
from ionto.faults import Refusal
from ionto.limits import Limits
from ionto.version import DOSE_SCHEMA_VERSION

MAX_BYTES = const(768)
MAX_TEXT = const(40)

POLE_POSITIVE = const(1)
POLE_NEGATIVE = const(-1)
WAVEFORMS = ("dc",)

# field: type; every one is required
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
    "max_density_ua_cm2": int,
}


class Dose:
    """A validated dose. Attributes are the fields of `FIELDS`; build one with `parse`."""

    schema: int
    name: str
    drug: str
    site: str
    current_ua: int
    dose_uc: int
    area_mm2: int
    polarity: int
    ramp_up_ms: int
    ramp_down_ms: int
    waveform: str
    max_density_ua_cm2: int

    def __init__(self, fields: dict, raw: bytes):
        for name in FIELDS:
            setattr(self, name, fields[name])
        self.raw = raw

    def digest(self) -> str:
        """Return the SHA-256 of the canonical bytes as 64 hex digits."""
        return binascii.hexlify(hashlib.sha256(self.raw).digest()).decode()

    def density_ua_cm2(self) -> int:
        """Return the current density at full current, rounded up, in uA/cm2."""
        return -(-self.current_ua * 100 // self.area_mm2)

    def ramp_down_uc(self, from_ua: int) -> int:
        """Return the charge that the ramp down from `from_ua` (uA) will still deliver, in uC.

        Counted in units of 8 ms, so that every intermediate fits a 31-bit small integer.
        """
        units = (self.ramp_down_ms >> 3) * from_ua // self.current_ua
        return from_ua * units // 250

    def hold_ms(self) -> int:
        """Return the time at full current, in ms."""
        ramps_uc = self.current_ua * (self.ramp_up_ms + self.ramp_down_ms) // 2_000
        return (self.dose_uc - ramps_uc) * 1_000 // self.current_ua

    def duration_ms(self) -> int:
        """Return the expected time from first to last current with good contact, in ms."""
        return self.ramp_up_ms + self.hold_ms() + self.ramp_down_ms


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
            raise Refusal(faults.MISSING_FIELD, name)
        value = fields[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise Refusal(faults.WRONG_TYPE, name, str(value)[:MAX_TEXT])
        if kind is str and len(value) > MAX_TEXT:
            raise Refusal(faults.OUT_OF_RANGE, name, len(value), 0, MAX_TEXT)


def _check_ranges(dose: Dose, limits: Limits) -> None:
    ranges = (
        ("schema", DOSE_SCHEMA_VERSION, DOSE_SCHEMA_VERSION),
        ("current_ua", limits.min_current_ua, limits.max_current_ua),
        ("dose_uc", limits.min_dose_uc, limits.max_dose_uc),
        ("area_mm2", limits.min_area_mm2, limits.max_area_mm2),
        ("ramp_up_ms", limits.min_ramp_ms, limits.max_ramp_ms),
        ("ramp_down_ms", limits.min_ramp_ms, limits.max_ramp_ms),
        ("max_density_ua_cm2", 1, limits.max_density_ua_cm2),
    )
    for name, low, high in ranges:
        value = getattr(dose, name)
        if not low <= value <= high:
            raise Refusal(faults.OUT_OF_RANGE, name, value, low, high)
    if dose.polarity not in (POLE_NEGATIVE, POLE_POSITIVE):
        raise Refusal(faults.OUT_OF_RANGE, "polarity", dose.polarity, POLE_NEGATIVE, POLE_POSITIVE)
    if dose.waveform not in WAVEFORMS:
        raise Refusal(faults.OUT_OF_RANGE, "waveform", dose.waveform, ", ".join(WAVEFORMS), None)


def _check_relations(dose: Dose, limits: Limits) -> None:
    density = dose.density_ua_cm2()
    if density > dose.max_density_ua_cm2:
        raise Refusal(faults.DENSITY_TOO_HIGH, "density_ua_cm2", density, 0, dose.max_density_ua_cm2)
    ramps_uc = dose.current_ua * (dose.ramp_up_ms + dose.ramp_down_ms) // 2_000
    if dose.dose_uc < ramps_uc:
        raise Refusal(faults.RAMPS_EXCEED_DOSE, "dose_uc", dose.dose_uc, ramps_uc, limits.max_dose_uc)
    if dose.duration_ms() > limits.max_session_ms:
        raise Refusal(faults.SESSION_TOO_LONG, "duration_ms", dose.duration_ms(), 0, limits.max_session_ms)
