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
WORDS = {"waveform": dose.WAVEFORMS, "reversal": dose.REVERSALS}
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
    texts = {"name": text, "drug": text, "site": text}
    counts = {"max_extension_pct": st.integers(0, 100), "starts": st.integers(1, 20)}
    plain = ranged | texts | counts | {"polarity": st.sampled_from([-1, 1])}
    return st.fixed_dictionaries(plain).flatmap(lambda fields: some_waveform(fields, build))


@st.composite
def some_waveform(draw: st.DrawFn, fields: dict[str, Any], build: Limits) -> dict[str, Any]:
    """Add pulses and reversals that are inside every single range to `fields`."""
    edge_ms, on_ms, off_ms, interval_ms = 0, 0, 0, 0
    waveform = draw(st.sampled_from(dose.WAVEFORMS))
    if waveform == "pulsed":
        edge_ms = draw(st.integers(20, 1_000))
        on_ms = draw(st.integers(60 + edge_ms, 5_000))
        off_ms = draw(st.integers(60 + edge_ms, 5_000))
        if fields["current_ua"] * on_ms < build.min_current_ua * (on_ms + off_ms):
            fields["current_ua"] = build.max_current_ua
            on_ms, off_ms = 1_000 + edge_ms, 60 + edge_ms
    reversal = draw(st.sampled_from(dose.REVERSALS))
    if reversal == "interval":
        lowest_ms = fields["ramp_up_ms"] + fields["ramp_down_ms"] + 1_000
        interval_ms = draw(st.integers(lowest_ms, build.max_session_ms))
    pulses = {"waveform": waveform, "pulse_on_ms": on_ms, "pulse_off_ms": off_ms, "pulse_edge_ms": edge_ms}
    return fields | pulses | {"reversal": reversal, "reversal_interval_ms": interval_ms}


def accepted(fields: dict[str, Any], build: Limits) -> dose.Dose | None:
    """Return the dose, or None when a relation refuses it; any other refusal fails."""
    raw = dose.canonical(fields)
    try:
        return dose.parse(raw, build)
    except Refusal as error:
        too_long = error.field == "length_bytes" and len(raw) > dose.MAX_BYTES
        assert error.code in RELATED or too_long or error.field == "reversals", error.as_dict()
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
@pytest.mark.parametrize("field", list(WORDS))
@pytest.mark.parametrize("value", ["", "DC", "pulse", "dc ", "half time"])
def test_an_unknown_word_is_refused_and_the_known_ones_are_told(field: str, value: str) -> None:
    answer = refused_fields(**{field: value})
    assert (answer.code, answer.field, answer.value) == (faults.OUT_OF_RANGE, field, value)
    assert all(word in str(answer.low) for word in WORDS[field])


PULSES = {"waveform": "pulsed", "pulse_on_ms": 200, "pulse_off_ms": 200, "pulse_edge_ms": 20}
TURNING = {"reversal": "interval", "reversal_interval_ms": 5_000, "dose_uc": 24_000}


@pytest.mark.hazard("HAZ-01", "HAZ-09")
@pytest.mark.parametrize(
    ("changes", "field", "low", "high"),
    [
        ({"pulse_edge_ms": 19}, "pulse_edge_ms", 20, 1_000),
        ({"pulse_edge_ms": 1_001}, "pulse_edge_ms", 20, 1_000),
        ({"pulse_on_ms": 79}, "pulse_on_ms", 80, 9_920),
        ({"pulse_on_ms": 9_921}, "pulse_on_ms", 80, 9_920),
        ({"pulse_off_ms": 79}, "pulse_off_ms", 80, 9_800),
        ({"pulse_off_ms": 9_801}, "pulse_off_ms", 80, 9_800),
        ({"pulse_edge_ms": 200, "pulse_on_ms": 259}, "pulse_on_ms", 260, 9_740),
        ({"pulse_on_ms": 80, "pulse_off_ms": 1_600}, "mean_current_ua", 100, 4_000),
    ],
)
def test_pulses_faster_than_the_set_point_filter_are_refused(
    changes: dict[str, int], field: str, low: int, high: int
) -> None:
    """Against a wrong dose. What the filter and the loop cannot follow is not accepted, nor a mean under the least."""
    assert a_dose(A, **PULSES).mean_ua() == 1_000
    answer = refused_fields(**PULSES | changes)
    assert (answer.code, answer.field, answer.low, answer.high) == (faults.OUT_OF_RANGE, field, low, high)


@pytest.mark.hazard("HAZ-01")
@pytest.mark.parametrize("field", ["pulse_on_ms", "pulse_off_ms", "pulse_edge_ms", "reversal_interval_ms"])
def test_figures_of_a_waveform_that_is_not_used_are_refused(field: str) -> None:
    answer = refused_fields(**{field: 100})
    assert (answer.code, answer.field, answer.low, answer.high) == (faults.OUT_OF_RANGE, field, 0, 0)


@pytest.mark.hazard("HAZ-01", "HAZ-09")
def test_the_interval_holds_its_ramps_and_the_number_of_reversals_is_limited() -> None:
    assert a_dose(A, **TURNING).turns() == 2
    answer = refused_fields(**TURNING | {"reversal_interval_ms": 2_999})
    assert (answer.field, answer.low, answer.high) == ("reversal_interval_ms", 3_000, A.max_session_ms)
    answer = refused_fields(**TURNING | {"dose_uc": 110_000})
    assert (answer.field, answer.value, answer.high) == ("reversals", 13, 12)


@pytest.mark.hazard("HAZ-01", "HAZ-20", "HAZ-23")
@pytest.mark.parametrize(("field", "low", "high"), [("max_extension_pct", 0, 100), ("starts", 1, 20)])
def test_extension_and_starts_have_a_range(field: str, low: int, high: int) -> None:
    for value in (low, high):
        assert getattr(a_dose(A, **{field: value}), field) == value
    for value in (low - 1, high + 1):
        answer = refused_fields(**{field: value})
        assert (answer.code, answer.field, answer.low, answer.high) == (faults.OUT_OF_RANGE, field, low, high)


@pytest.mark.hazard("HAZ-23")
def test_the_time_limit_follows_from_the_extension() -> None:
    """A poor contact may make the session longer by the stated share, and by the tolerances of the current."""
    plan = a_dose(A, dose_uc=240_000)  # 121 s
    tight, wide = [a_dose(A, dose_uc=240_000, max_extension_pct=pct) for pct in (0, 100)]
    assert plan.on_ms() == 121_000
    assert 0 < tight.max_on_ms(A) - plan.on_ms() < 4_000
    assert plan.max_on_ms(A) - tight.max_on_ms(A) == 60_500
    assert wide.max_on_ms(A) - tight.max_on_ms(A) == 121_000
    longest = a_dose(A, current_ua=900, dose_uc=4_800_000, max_extension_pct=100)
    assert longest.max_on_ms(A) == A.max_session_ms


@pytest.mark.hazard("HAZ-01", "HAZ-09")
def test_a_reversal_at_half_needs_twice_the_ramps() -> None:
    answer = refused_fields(reversal="half", current_ua=4_000, dose_uc=7_999)
    assert (answer.code, answer.value, answer.low) == (faults.RAMPS_EXCEED_DOSE, 7_999, 8_000)
    assert a_dose(A, reversal="half", current_ua=4_000, dose_uc=8_000).duration_ms() == 2 * 2_000 + limits.TURN_MS


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
@pytest.mark.parametrize("field", [name for name in dose.FIELDS if name != "screening"])
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
    assert (answer.value, answer.high) == (1_025, 1_024)


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
    assert answer.field == "dose_uc"
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
    assert parsed.duration_ms() <= build.max_session_ms
    assert parsed.on_ms() <= parsed.max_on_ms(build) <= build.max_session_ms
    assert parsed.mean_ua() >= build.min_current_ua
    assert 0 <= parsed.turns() <= 12
    assert parsed.hold_ms() >= 0


@pytest.mark.hazard("HAZ-22")
@BUILDS
@given(st.data())
def test_ramps_and_hold_make_the_dose(build: Limits, data: st.DataObject) -> None:
    """Charge of both ramps and the hold is the dose, within a millisecond of current and rounding."""
    parsed = accepted(data.draw(some_dose(build)), build)
    if parsed is None:
        return
    ramps_ms = (parsed.turns() + 1) * (parsed.ramp_up_ms + parsed.ramp_down_ms)
    period_ms = parsed.pulse_on_ms + parsed.pulse_off_ms
    whole_ms = parsed.hold_ms() // period_ms * period_ms if period_ms else 0
    share = Fraction(parsed.pulse_on_ms, period_ms) if period_ms else Fraction(1)
    full_ms = Fraction(ramps_ms, 2) + whole_ms * share + parsed.hold_ms() - whole_ms
    off_uc = abs(parsed.current_ua * full_ms / 1_000 - parsed.dose_uc)
    assert off_uc <= (parsed.turns() + 1) * (parsed.current_ua / 1_000 + 1) + 1


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
@pytest.mark.parametrize("text", ["", "2026-11-25 plantar-fasciitis, asked: no to 12", "~" * 240])
def test_what_was_asked_is_part_of_the_dose(text: str) -> None:
    """The screening is covered by the digest; a dose without one is the dose that it always was."""
    parsed = a_dose(A, screening=text)
    assert parsed.screening == text
    assert parsed.digest() == hashlib.sha256(dose.canonical(dose_fields(A, screening=text))).hexdigest()
    assert parsed.digest() != a_dose(A).digest() and a_dose(A).screening == ""


@pytest.mark.hazard("HAZ-01")
@pytest.mark.parametrize("text", ["x" * 241, "two\nlines", "\x7f", "caf\u00e9", "\u0000"])
def test_a_screening_that_is_long_or_not_printable_is_refused(text: str) -> None:
    answer = refused_fields(screening=text)
    assert (answer.code, answer.field) == (faults.OUT_OF_RANGE, "screening")


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
        b'{"area_mm2":1000,"current_ua":2000,"dose_uc":6000,"drug":"none","max_density_ua_cm2":500,'
        b'"max_extension_pct":50,"name":"short","polarity":1,"pulse_edge_ms":0,"pulse_off_ms":0,"pulse_on_ms":0,'
        b'"ramp_down_ms":1000,"ramp_up_ms":1000,"reversal":"none","reversal_interval_ms":0,"schema":1,"site":"bench",'
        b'"starts":3,"waveform":"dc"}'
    )
    assert a_dose(A).raw == raw
    assert a_dose(A).digest() == "4d486582c8537c698b96fd66ae1b3c7c109654b6171a1499d632ce60d7ae2165"
