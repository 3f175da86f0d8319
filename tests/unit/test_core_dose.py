"""The dose: refused out of range with the reason, never clamped; what follows from it adds up."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from plant import a_dose, dose_fields

from ionto import dose, faults, limits
from ionto.faults import Refusal
from ionto.limits import Limits

A, B = limits.variant_a(), limits.variant_b()
BUILDS = pytest.mark.parametrize("build", [A, B], ids="AB")
BOUNDS = {
    "schema": (None, None),
    "current_ua": ("min_current_ua", "max_current_ua"),
    "dose_uc": ("min_dose_uc", "max_dose_uc"),
    "area_mm2": ("min_area_mm2", "max_area_mm2"),
    "ramp_up_ms": ("min_ramp_ms", "max_ramp_ms"),
    "ramp_down_ms": ("min_ramp_ms", "max_ramp_ms"),
    "max_density_ua_cm2": (None, "max_density_ua_cm2"),
}
RELATED = (faults.DENSITY_TOO_HIGH, faults.RAMPS_EXCEED_DOSE, faults.SESSION_TOO_LONG)


def bounds(build: Limits, field: str) -> tuple[int, int]:
    """Return the range of `field` as the limits have it."""
    low, high = BOUNDS[field]
    return getattr(build, low) if low else 1, getattr(build, high) if high else 1


def refusal(raw: bytes, build: Limits = A) -> Refusal:
    """Return the refusal that `raw` meets; fail when it is accepted."""
    with pytest.raises(Refusal) as caught:
        dose.parse(raw, build)
    return caught.value


def refused_fields(build: Limits = A, **changes: Any) -> Refusal:
    """Return the refusal of the short dose with `changes`."""
    return refusal(dose.canonical(dose_fields(build, **changes)), build)


def some_dose(build: Limits) -> st.SearchStrategy[dict[str, Any]]:
    """Doses inside every single range, so that only the relations between fields may refuse them."""
    ranged = {field: st.integers(*bounds(build, field)) for field in BOUNDS}
    text = st.text(max_size=dose.MAX_TEXT)
    return st.fixed_dictionaries(
        ranged
        | {"name": text, "drug": text, "site": text, "polarity": st.sampled_from([-1, 1]), "waveform": st.just("dc")}
    )


def accepted(fields: dict[str, Any], build: Limits) -> dose.Dose | None:
    """Return the dose, or None when a relation refuses it; any other refusal fails."""
    raw = dose.canonical(fields)
    try:
        return dose.parse(raw, build)
    except Refusal as error:
        too_long = error.field == "length_bytes" and len(raw) > dose.MAX_BYTES
        assert error.code in RELATED or too_long, error.as_dict()
        return None


@pytest.mark.hazard("HAZ-01")
@BUILDS
@pytest.mark.parametrize("field", list(BOUNDS))
def test_just_out_of_range_is_refused_with_the_range(build: Limits, field: str) -> None:
    """Against a dose out of range. Code, field, value and both ends come back."""
    low, high = bounds(build, field)
    for value in (low - 1, high + 1, -(10**9), 10**9, 10**30):
        answer = refused_fields(build, **{field: value})
        assert (answer.code, answer.field, answer.value) == (faults.OUT_OF_RANGE, field, value)
        assert (answer.low, answer.high) == (low, high)


@BUILDS
@pytest.mark.parametrize("field", list(BOUNDS))
def test_the_ends_of_a_range_belong_to_it(build: Limits, field: str) -> None:
    for value in bounds(build, field):
        try:
            dose.parse(dose.canonical(dose_fields(build, **{field: value})), build)
        except Refusal as error:
            assert error.code in RELATED


@pytest.mark.hazard("HAZ-01", "HAZ-18")
@pytest.mark.parametrize("value", [0, 2, -2, 10**12])
def test_polarity_is_one_of_two(value: int) -> None:
    answer = refused_fields(polarity=value)
    assert (answer.code, answer.field, answer.value) == (faults.OUT_OF_RANGE, "polarity", value)


@pytest.mark.hazard("HAZ-01")
@pytest.mark.parametrize("value", ["", "DC", "pulsed", "dc "])
def test_an_unknown_waveform_is_refused_and_the_known_ones_are_told(value: str) -> None:
    answer = refused_fields(waveform=value)
    assert (answer.code, answer.field, answer.value) == (faults.OUT_OF_RANGE, "waveform", value)
    assert "dc" in str(answer.low)


@pytest.mark.hazard("HAZ-01")
@pytest.mark.parametrize("field", ["name", "drug", "site"])
def test_long_text_is_refused(field: str) -> None:
    a_dose(A, **{field: "x" * 40})
    answer = refused_fields(**{field: "x" * 41})
    assert (answer.code, answer.field) == (faults.OUT_OF_RANGE, field)
    assert (answer.value, answer.low, answer.high) == (41, 0, 40)


@pytest.mark.hazard("HAZ-01")
@pytest.mark.parametrize("field", list(dose.FIELDS))
@pytest.mark.parametrize("value", [None, True, 1.5, [], {}, "other"])
def test_a_wrong_type_is_refused(field: str, value: object) -> None:
    if dose.FIELDS[field] is str and isinstance(value, str):
        value = 7
    answer = refused_fields(**{field: value})
    assert (answer.code, answer.field) == (faults.WRONG_TYPE, field)


@pytest.mark.hazard("HAZ-01")
@pytest.mark.parametrize("field", list(dose.FIELDS))
def test_a_missing_field_is_refused(field: str) -> None:
    fields = dose_fields(A)
    del fields[field]
    answer = refusal(dose.canonical(fields))
    assert (answer.code, answer.field) == (faults.MISSING_FIELD, field)


@pytest.mark.hazard("HAZ-01")
@pytest.mark.parametrize("field", ["current_ma", "Current_ua", "", "__init__", "raw", "digest", "x" * 100])
def test_an_unknown_field_is_refused(field: str) -> None:
    """Nothing that is not in the table gets in, names of the object's own attributes least of all."""
    answer = refused_fields(**{field: 1})
    assert (answer.code, answer.field) == (faults.UNKNOWN_FIELD, field[:40])


@pytest.mark.hazard("HAZ-01", "HAZ-28")
@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe\x00", b"{'a':1}", b"[" * 768, b'{"a":1}}', b"nul"])
def test_what_is_not_json_is_refused(raw: bytes) -> None:
    assert refusal(raw).code == faults.BAD_PAYLOAD


@pytest.mark.hazard("HAZ-01", "HAZ-28")
@pytest.mark.parametrize("raw", [b"[]", b"1", b"null", b'"dose"', b"true"])
def test_json_that_is_no_object_is_refused(raw: bytes) -> None:
    assert refusal(raw).code == faults.WRONG_TYPE


@pytest.mark.hazard("HAZ-28")
def test_an_oversize_dose_is_refused_before_it_is_read() -> None:
    raw = dose.canonical(dose_fields(A))
    fits = raw[:-1] + b" " * (dose.MAX_BYTES - len(raw)) + b"}"
    assert dose.parse(fits, A).current_ua == 2_000
    answer = refusal(fits + b" ")
    assert (answer.code, answer.field) == (faults.OUT_OF_RANGE, "length_bytes")
    assert (answer.value, answer.high) == (769, 768)


@pytest.mark.hazard("HAZ-01", "HAZ-28")
@given(st.binary(max_size=900))
def test_any_bytes_are_a_dose_or_a_refusal(raw: bytes) -> None:
    refusal(raw)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50)


@pytest.mark.hazard("HAZ-01", "HAZ-28")
@given(st.dictionaries(st.sampled_from(list(dose.FIELDS)), SCALARS | st.lists(SCALARS, max_size=2)))
def test_any_values_are_a_dose_or_a_refusal_that_travels(changes: dict[str, object]) -> None:
    """Whatever the values, the answer is a valid dose, or a refusal of one of the changed fields."""
    raw = json.dumps(dose_fields(A) | changes).encode()
    try:
        parsed = dose.parse(raw, A)
    except Refusal as error:
        assert 20 <= error.code < 60
        assert len(json.dumps(error.as_dict())) <= 1_037
    else:
        assert A.min_current_ua <= parsed.current_ua <= A.max_current_ua
        assert parsed.density_ua_cm2() <= A.max_density_ua_cm2


@pytest.mark.hazard("HAZ-01", "HAZ-23")
@BUILDS
def test_relations_between_fields(build: Limits) -> None:
    """Against burn by current density; dose that its own ramps exceed; endless session."""
    area = build.min_area_mm2
    answer = refused_fields(build, area_mm2=area, current_ua=5 * area + 1, max_density_ua_cm2=500)
    assert (answer.code, answer.field, answer.value, answer.high) == (
        faults.DENSITY_TOO_HIGH,
        "density_ua_cm2",
        501,
        500,
    )
    ramps = {"ramp_up_ms": 120_000, "ramp_down_ms": 120_000}
    answer = refused_fields(build, **ramps, dose_uc=build.min_dose_uc)
    ramps_uc = dose_fields(build)["current_ua"] * 120
    assert (answer.code, answer.value, answer.low) == (faults.RAMPS_EXCEED_DOSE, build.min_dose_uc, ramps_uc)
    answer = refused_fields(build, dose_uc=build.max_dose_uc, current_ua=build.min_current_ua)
    assert (answer.code, answer.field, answer.high) == (faults.SESSION_TOO_LONG, "duration_ms", build.max_session_ms)


@pytest.mark.hazard("HAZ-01")
@BUILDS
@given(st.data())
def test_every_accepted_dose_satisfies_every_limit(build: Limits, data: st.DataObject) -> None:
    """Against a dose out of range. Checked again here, by definition."""
    parsed = accepted(data.draw(some_dose(build)), build)
    if parsed is None:
        return
    for field in BOUNDS:
        low, high = bounds(build, field)
        assert low <= getattr(parsed, field) <= high
    density = Fraction(parsed.current_ua * 100, parsed.area_mm2)
    assert density <= parsed.max_density_ua_cm2 <= 500
    assert 0 <= parsed.density_ua_cm2() - density < 1
    seconds = parsed.dose_uc / parsed.current_ua + (parsed.ramp_up_ms + parsed.ramp_down_ms) / 2_000
    assert seconds <= build.max_session_ms / 1_000 + 0.1
    assert abs(parsed.duration_ms() / 1_000 - seconds) < 0.02
    assert parsed.hold_ms() >= 0


@pytest.mark.hazard("HAZ-22")
@BUILDS
@given(st.data())
def test_ramps_and_hold_make_the_dose(build: Limits, data: st.DataObject) -> None:
    """Charge of both ramps and the hold is the dose, within a millisecond of current and rounding."""
    parsed = accepted(data.draw(some_dose(build)), build)
    if parsed is None:
        return
    ramps_uc = parsed.current_ua * (parsed.ramp_up_ms + parsed.ramp_down_ms) / 2_000
    total_uc = ramps_uc + parsed.current_ua * parsed.hold_ms() / 1_000
    assert abs(total_uc - parsed.dose_uc) <= parsed.current_ua / 1_000 + 1


@pytest.mark.hazard("HAZ-22", "HAZ-27")
@BUILDS
@given(st.data())
def test_charge_of_a_ramp_down_from_any_current(build: Limits, data: st.DataObject) -> None:
    """It is a triangle; the 8 ms units may only make it a little small, so that a dose is never cut short."""
    current = data.draw(st.integers(build.min_current_ua, build.max_current_ua))
    ramp = data.draw(st.integers(build.min_ramp_ms, build.max_ramp_ms))
    from_ua = data.draw(st.integers(0, current))
    plan = dose.Dose(dose_fields(build, current_ua=current, ramp_down_ms=ramp), b"")
    exact_uc = from_ua * (ramp * from_ua / current) / 2_000
    assert 0 <= exact_uc - plan.ramp_down_uc(from_ua) <= from_ua * 16 / 2_000 + 1


@pytest.mark.hazard("HAZ-25")
@given(some_dose(A), st.randoms())
def test_canonical_bytes_do_not_depend_on_order(fields: dict[str, Any], random: Any) -> None:
    names = list(fields)
    random.shuffle(names)
    raw = dose.canonical({name: fields[name] for name in names})
    assert raw == dose.canonical(fields)
    assert json.loads(raw) == fields
    assert raw == json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.hazard("HAZ-25")
@given(some_dose(A))
@example(dose_fields(A))
def test_the_digest_is_that_of_the_bytes_that_came(fields: dict[str, Any]) -> None:
    parsed = accepted(fields, A)
    if parsed is not None:
        assert parsed.raw == dose.canonical(fields)
        assert parsed.digest() == hashlib.sha256(dose.canonical(fields)).hexdigest()


@pytest.mark.hazard("HAZ-25")
def test_another_dose_has_another_digest() -> None:
    digests = {a_dose(A, dose_uc=uc).digest() for uc in range(6_000, 6_050)}
    assert len(digests) == 50


@pytest.mark.hazard("HAZ-25")
def test_the_digest_is_stable_across_versions() -> None:
    """A golden value: the host of one release and the device of another have to agree."""
    raw = (
        b'{"area_mm2":1000,"current_ua":2000,"dose_uc":6000,"drug":"none","max_density_ua_cm2":500,"name":"short",'
        b'"polarity":1,"ramp_down_ms":1000,"ramp_up_ms":1000,"schema":1,"site":"bench","waveform":"dc"}'
    )
    assert a_dose(A).raw == raw
    assert a_dose(A).digest() == "9befa02db812174760bf95ce847da6bce0ace70d01a5608806ad6d24bed8c979"
