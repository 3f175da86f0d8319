"""Dose files: TOML in human units, converted exactly to the canonical dose that the device takes."""

from __future__ import annotations

import codecs
import json
import re
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

from ionto import dose as device_dose
from ionto import limits as device_limits
from ionto.faults import Refusal
from ionto.limits import UC_PER_MA_MIN
from ionto.plan import DC, HALF, NO_REVERSAL
from ionto.version import DOSE_SCHEMA_VERSION
from ionto_host.device import messages
from ionto_host.errors import DoseFileError, IontoError, RefusedError
from ionto_host.units import plain, printable

tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")


@dataclass(frozen=True)
class Quantity:
    """A number of the dose file: its field, the device's, device units in one human unit, the unit."""

    name: str
    device_name: str
    factor: int
    unit: str


CURRENT = Quantity("current_ma", "current_ua", 1_000, "mA")
DOSE = Quantity("dose_ma_min", "dose_uc", UC_PER_MA_MIN, "mA*min")
DURATION = Quantity("duration_min", "duration_ms", 60_000, "min")
AREA = Quantity("electrode_area_cm2", "area_mm2", 100, "cm2")
RAMP_UP = Quantity("ramp_up_s", "ramp_up_ms", 1_000, "s")
RAMP_DOWN = Quantity("ramp_down_s", "ramp_down_ms", 1_000, "s")
MAX_DENSITY = Quantity("max_density_ma_cm2", "max_density_ua_cm2", 1_000, "mA/cm2")
DENSITY = Quantity("current density", "density_ua_cm2", 1_000, "mA/cm2")
MEAN_CURRENT = Quantity("mean current of the pulses", "mean_current_ua", 1_000, "mA")
EDGE = Quantity("waveform.edge_ms", "pulse_edge_ms", 1, "ms")
PULSE_ON = Quantity("on-time of a pulse", "pulse_on_ms", 1, "ms")
PULSE_OFF = Quantity("off-time between pulses", "pulse_off_ms", 1, "ms")
FREQUENCY = Quantity("waveform.frequency_hz", "frequency_hz", 1, "Hz")
DUTY = Quantity("waveform.duty_pct", "duty_pct", 1, "%")
REVERSAL_INTERVAL = Quantity("reversal.interval_min", "reversal_interval_ms", 60_000, "min")
TURNS = Quantity("number of reversals", "reversals", 1, "")
MAX_EXTENSION = Quantity("max_extension_pct", "max_extension_pct", 1, "%")
STARTS = Quantity("starts", "starts", 1, "")

REQUIRED_NUMBERS = (CURRENT, AREA, RAMP_UP, RAMP_DOWN)
OPTIONAL_NUMBERS = (DOSE, DURATION, MAX_DENSITY, MAX_EXTENSION, STARTS)
TEXTS = ("name", "drug", "site")
POLES = {"+": device_dose.POLE_POSITIVE, "-": device_dose.POLE_NEGATIVE}
DEFAULTS = {MAX_DENSITY: Decimal("0.5"), MAX_EXTENSION: Decimal(50), STARTS: Decimal(1)}
PULSE_TABLE = ("kind", "frequency_hz", "duty_pct", "edge_ms")
REVERSAL_TABLE = ("kind", "interval_min")
# Of the table [therapy], which stays on the host: what the dose is for, and what was proposed beside what was decided.
THERAPY_TEXTS = ("preset", "subject", "sensitivity", "pole_verified")
THERAPY_NUMBERS = ("proposed_current_ma", "proposed_dose_ma_min")
THERAPY_LIST = "why"
THERAPY_TABLE = (*THERAPY_TEXTS, *THERAPY_NUMBERS, THERAPY_LIST)
FIELDS = (
    "schema",
    *TEXTS,
    "polarity",
    *(item.name for item in (*REQUIRED_NUMBERS, *OPTIONAL_NUMBERS)),
    "waveform",
    "reversal",
    "therapy",
)
_COMPUTED = (DENSITY, MEAN_CURRENT, EDGE, PULSE_ON, PULSE_OFF, REVERSAL_INTERVAL, TURNS)
HUMAN = {item.device_name: item for item in (*REQUIRED_NUMBERS, *OPTIONAL_NUMBERS, *_COMPUTED)}
VARIANTS = ("A", "B")
MAX_DECIMALS = 12
MAX_FILE_BYTES = 64 * 1024
MAX_SHOWN = 60
_LONGEST = 200  # letters of a text; more of them would make the dose as a whole too long, which names no field


@dataclass(frozen=True)
class DoseFile:
    """A dose read from a file: canonical fields (device units), their bytes, the variants that admit it.

    `therapy` is the table of that name, which does not go to the device; empty without one.
    """

    path: Path
    fields: dict[str, Any]
    raw: bytes
    variants: tuple[str, ...]
    therapy: dict[str, Any] = field(default_factory=dict)


def load(path: Path) -> DoseFile:
    """Return the dose in the TOML file `path`, without checking it against limits.

    Raises `DoseFileError` naming the field, its value, what is allowed and the line; OSError when unreadable.
    """
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise DoseFileError(f"{path}: larger than {MAX_FILE_BYTES // 1024} kB, so no dose file")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DoseFileError(f"{path}: saved as UTF-16", "Save it as UTF-8 (Notepad: Save as, Encoding).")
    try:
        return loads(data.decode("utf-8-sig"), path)
    except UnicodeDecodeError as error:
        raise DoseFileError(f"{path}: not a text file: {error.reason} at byte {error.start}") from error


def loads(text: str, path: Path) -> DoseFile:
    """Return the dose in the TOML `text`, which is or becomes the content of `path`; as `load`."""
    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, ArithmeticError, RecursionError) as error:
        raise _not_toml(path, text, str(error)) from error
    reader = _Reader(path, text, table)
    fields, therapy = reader.fields(), reader.therapy()
    raw = device_dose.canonical(fields)
    return DoseFile(path, fields, raw, tuple(variant for variant in VARIANTS if _admits(raw, variant)), therapy)


def _not_toml(path: Path, text: str, said: str) -> DoseFileError:
    """Return the complaint about `text`, which the TOML reader refuses as it `said`, with line and field."""
    found = re.search(r"line (\d+)", said)
    if found is None:
        return DoseFileError(f"{path}: not TOML: {printable(said)}")
    number = int(found[1])
    line = text.splitlines()[number - 1] if number <= len(text.splitlines()) else ""
    name, _, value = (part.strip(" []") for part in line.partition("="))
    where = f"{path}, line {number}: field {_shown(name)[1:-1]}" if name else f"{path}, line {number}"
    if re.fullmatch(r"[+-]?\d+,\d+\s*(#.*)?", value):
        reason = f"{value.partition('#')[0].strip()} is not TOML: write a point instead of the comma, as in 1.5"
    elif "overwrite" in said or "twice" in said:
        reason = "not TOML: it is there twice; leave one"
    else:
        reason = f"not TOML: {printable(said)}; a text needs quotes, a number none"
    return DoseFileError(f"{where}: {reason}", field=name, line=number)


def check(loaded: DoseFile, variant: str | None = None) -> device_dose.Dose:
    """Return the dose of `loaded` validated for `variant` (None: any of them); `RefusedError` if refused."""
    if variant or loaded.variants:
        return validate(loaded.raw, variant or loaded.variants[0], str(loaded.path))
    raise _refused(loaded)


def _refused(loaded: DoseFile) -> IontoError:
    """Return why no build variant admits the dose: of each, since one cannot know which is meant."""
    refusals: list[IontoError] = []
    for variant in VARIANTS:
        try:
            validate(loaded.raw, variant, "")
        except IontoError as error:
            refusals.append(error)
    closest = refusals[0 if loaded.fields["current_ua"] <= device_limits.variant_a().max_current_ua else 1]
    reasons = "; ".join(error.message.strip() for error in refusals)
    return type(closest)(f"{loaded.path}: no board admits it. {reasons}", closest.action, **closest.details)


def validate(raw: bytes, variant: str, where: str = "dose") -> device_dose.Dose:
    """Return the canonical dose `raw` validated by the device's own rules; `RefusedError` otherwise."""
    try:
        return device_dose.parse(raw, device_limits.for_variant(variant))
    except Refusal as refusal:
        raise explain(refusal.as_dict(), f"{where} (build variant {variant})") from refusal


def explain(detail: dict[str, Any], where: str) -> IontoError:
    """Return the refusal `detail` (code, field, value, low, high in device units) in human units."""
    quantity = HUMAN.get(str(detail.get("field")))
    if quantity is None or not isinstance(detail.get("value"), int):
        error = messages.error_for(detail)
        return type(error)(f"{where}: {error.message}", error.action, **error.details)
    text = messages.message_for(int(detail["code"])).text
    span = [_human(quantity, detail.get(end)) for end in ("low", "high")]
    allowed = f", allowed {span[0]} to {span[1]} {quantity.unit}".rstrip() if all(span) else ""
    value = f"{_human(quantity, detail['value'])} {quantity.unit}".rstrip()
    action = messages.message_for(int(detail["code"])).action
    return RefusedError(f"{where}: {text}: {quantity.name} is {value}{allowed}", action, **detail)


def _human(quantity: Quantity, value: Any) -> str:
    return plain(Decimal(value) / quantity.factor) if isinstance(value, int) else ""


def _admits(raw: bytes, variant: str) -> bool:
    try:
        device_dose.parse(raw, device_limits.for_variant(variant))
    except Refusal:
        return False
    return True


_OPTIONAL = ", ".join([*(item.name for item in DEFAULTS), "waveform", "reversal", "therapy"])
_REQUIRED = f"all fields are required, except {_OPTIONAL} and one of {DOSE.name} and {DURATION.name}"


def _shown(value: Any) -> str:
    """Return a value of the file as TOML writes it, short and safe to print."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, Decimal) and not value.is_finite():
        text = str(value).lower().replace("infinity", "inf")
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
    return printable(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}...")


class _Reader:
    """Reads one table field by field and knows the line of each for its complaints."""

    def __init__(self, path: Path, text: str, table: dict[str, Any]) -> None:
        self.path = path
        self.lines = text.splitlines()
        self.table = table

    def fields(self) -> dict[str, Any]:
        """Return the canonical fields, in device units."""
        for name in self.table:
            if name not in FIELDS:
                raise self.error(name, f"unknown field {_shown(name)[1:-1]}", f"known fields: {', '.join(FIELDS)}")
        result: dict[str, Any] = {"schema": self._schema(), **{name: self._text(name) for name in TEXTS}}
        result |= {item.device_name: self._integer(item, self._number(item.name)) for item in REQUIRED_NUMBERS}
        for item, default in DEFAULTS.items():
            result[item.device_name] = self._integer(item, self._number(item.name, default))
        result["polarity"] = self._polarity()
        result |= self._waveform() | self._reversal()
        result[DOSE.device_name] = self._dose_uc(result)
        return result

    def therapy(self) -> dict[str, Any]:
        """Return the table [therapy], checked for shape; empty without one."""
        table = self.table.get("therapy", {})
        if not isinstance(table, dict):
            raise self.error("therapy", f"therapy is {_shown(table)}", "a table [therapy] is expected")
        for key in table:
            if key not in THERAPY_TABLE:
                what = f"unknown field {_shown(key)[1:-1]} in [therapy]"
                raise self.error(f"therapy.{key}", what, f"known: {', '.join(THERAPY_TABLE)}")
        texts = {key: self._text(f"therapy.{key}") for key in THERAPY_TEXTS if key in table}
        numbers = {key: self._number(f"therapy.{key}") for key in THERAPY_NUMBERS if key in table}
        why = table.get(THERAPY_LIST, [])
        if not isinstance(why, list) or not all(isinstance(item, str) and item.isprintable() for item in why):
            raise self.error("therapy.why", f"therapy.why is {_shown(why)}", "a list of texts is expected")
        return {**texts, **numbers, **({THERAPY_LIST: why} if why else {})}

    def _schema(self) -> int:
        value = self._get("schema")
        if value != DOSE_SCHEMA_VERSION or not isinstance(value, int) or isinstance(value, bool):
            raise self.error(
                "schema", f"schema is {_shown(value)}", f"this version reads schema = {DOSE_SCHEMA_VERSION}"
            )
        return value

    def _text(self, name: str) -> str:
        value = self._get(name)
        if not isinstance(value, str):
            raise self.error(name, f"{name} is {_shown(value)}", "a text in quotes is expected")
        if not value.isprintable():
            raise self.error(name, f"{name} is {_shown(value)}", "printable characters only, in one line")
        if name in TEXTS and not value.strip():
            raise self.error(name, f"{name} is empty", f"1 to {device_dose.MAX_TEXT} characters are expected")
        if name in TEXTS and len(value) > _LONGEST:  # what is a little too long is refused by the device's own rule
            found = f"{name} has {len(value)} characters"
            raise self.error(name, found, f"1 to {device_dose.MAX_TEXT} are expected")
        return value

    def _polarity(self) -> int:
        value = self._get("polarity")
        if not isinstance(value, str) or value not in POLES:
            raise self.error("polarity", f"polarity is {_shown(value)}", 'write "+" or "-", the pole under the drug')
        return POLES[value]

    def _waveform(self) -> dict[str, Any]:
        """Return the waveform's fields: of `waveform = "dc"`, of the table [waveform], or of direct current."""
        kind = self._kind("waveform", device_dose.WAVEFORMS, PULSE_TABLE)
        if kind != device_dose.PULSED:
            return {"waveform": kind, "pulse_on_ms": 0, "pulse_off_ms": 0, "pulse_edge_ms": 0}
        hz, duty = self._number(FREQUENCY.name), self._number(DUTY.name)
        for item, value, low, high in ((FREQUENCY, hz, Decimal("0.01"), 1_000), (DUTY, duty, 1, 99)):
            if not low <= value <= high:
                raise self.error(item.name, f"{item.name} is {value} {item.unit}", f"allowed {low} to {high}")
        period_ms = round(Fraction(1_000) / Fraction(hz))
        on_ms = round(period_ms * Fraction(duty) / 100)
        edge_ms = self._integer(EDGE, self._number(EDGE.name, Decimal(device_limits.MIN_EDGE_MS)))
        pulses = {"pulse_on_ms": on_ms, "pulse_off_ms": period_ms - on_ms, "pulse_edge_ms": edge_ms}
        return {"waveform": kind, **pulses}

    def _reversal(self) -> dict[str, Any]:
        kind = self._kind("reversal", device_dose.REVERSALS, REVERSAL_TABLE)
        interval_ms = 0
        if kind == device_dose.INTERVAL:
            interval_ms = self._integer(REVERSAL_INTERVAL, self._number(REVERSAL_INTERVAL.name))
        return {"reversal": kind, "reversal_interval_ms": interval_ms}

    def _kind(self, name: str, kinds: tuple[str, ...], known: tuple[str, ...]) -> str:
        """Return the kind of waveform or reversal: a text, or `kind` of a table that has no unknown fields."""
        value = self.table.get(name, kinds[0])
        inner = value if isinstance(value, dict) else {}
        kind = inner.get("kind") if isinstance(value, dict) else value
        if not isinstance(kind, str) or kind not in kinds:
            allowed = ", ".join(json.dumps(item) for item in kinds)
            raise self.error(name, f"{name} is {_shown(kind)}", f"[{name}] kind is one of {allowed}")
        used = known if kind == kinds[-1] else known[:1]  # the last kind is the one with figures
        for key in inner:
            if key not in used:
                what = f"unknown field {_shown(key)[1:-1]} in [{name}] of kind {kind}"
                raise self.error(f"{name}.{key}", what, f"known: {', '.join(used)}")
        return kind

    def _number(self, name: str, default: Decimal | None = None) -> Decimal:
        if default is not None and not self._has(name):
            return default
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)) or not Decimal(value).is_finite():
            raise self.error(name, f"{name} is {_shown(value)}", "a number without quotes is expected")
        return Decimal(value)

    def _integer(self, quantity: Quantity, value: Decimal) -> int:
        """Return `value` in device units; refuse what does not land on an integer or is absurd."""
        if abs(value) > 10**9:
            raise self.error(quantity.name, f"{quantity.name} is {value:.3e} {quantity.unit}", "far out of range")
        fine = value.is_zero() or int(value.as_tuple().exponent) >= -MAX_DECIMALS
        scaled = Fraction(value if fine else 1) * quantity.factor
        if not fine or scaled.denominator != 1:
            step = plain(Decimal(1) / quantity.factor) if quantity is not DOSE else "1/60000"
            raise self.error(
                quantity.name,
                f"{quantity.name} is {value} {quantity.unit}",
                f"the device counts in steps of {step} {quantity.unit}",
            )
        return scaled.numerator

    def _dose_uc(self, fields: dict[str, Any]) -> int:
        given = [item for item in (DOSE, DURATION) if item.name in self.table]
        if len(given) != 1:
            both = f"{DOSE.name} or {DURATION.name}"
            raise self.error(DURATION.name, f"give {both}, and only one of them", "see `ionto dose new --help`")
        value = self._integer(given[0], self._number(given[0].name))
        if given[0] is DOSE:
            return value
        turns = {NO_REVERSAL: 0, HALF: 1}.get(fields["reversal"])
        if turns is None or fields["waveform"] != DC:
            raise self.error(DURATION.name, "pulses and intervals follow from a charge", f"give {DOSE.name} instead")
        ramps_ms = (turns + 1) * (fields["ramp_up_ms"] + fields["ramp_down_ms"])
        charge, rest = divmod(fields["current_ua"] * (2 * (value - turns * device_limits.TURN_MS) - ramps_ms), 2_000)
        if rest:
            raise self.error(DURATION.name, "the duration gives no whole number of uC", f"give {DOSE.name} instead")
        return charge

    def _has(self, name: str) -> bool:
        outer, _, inner = name.partition(".")
        value = self.table.get(outer)
        return name in self.table or (isinstance(value, dict) and inner in value)

    def _get(self, name: str) -> Any:
        outer, _, inner = name.partition(".")
        if not self._has(name):
            known = {"waveform": PULSE_TABLE, "reversal": REVERSAL_TABLE}.get(outer, ()) if inner else ()
            raise self.error(name, f"field {name} is missing", f"needed: {', '.join(known)}" if known else _REQUIRED)
        return self.table[outer][inner] if inner else self.table[name]

    def error(self, name: str, what: str, allowed: str) -> DoseFileError:
        """Return the complaint about field `name`, with its line when the file has it."""
        line = self._line(name)
        where = f"{self.path}, line {line}" if line else str(self.path)
        return DoseFileError(f"{where}: {what}; {allowed}", field=name, line=line)

    def _line(self, name: str) -> int | None:
        last = name.rpartition(".")[2]
        pattern = re.compile(rf"""^\s*\[*["']?{re.escape(last)}["']?\s*[=\].]""")
        return next((number for number, line in enumerate(self.lines, 1) if pattern.match(line)), None)
