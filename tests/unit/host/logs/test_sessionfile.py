"""The log decoder: a sound log reads whole, a damaged one up to and after the damage, which is named."""

from __future__ import annotations

import io
import json
import struct
import time
from pathlib import Path

import pytest
from fake_device import make_log
from hypothesis import given, settings
from hypothesis import strategies as st

from ionto import protocol
from ionto import sessionlog_format as layout
from ionto_host.errors import NotALogError
from ionto_host.logs import diff as logdiff
from ionto_host.logs import export as logexport
from ionto_host.logs import sessionfile
from ionto_host.logs.sessionfile import Event, Sample
from verification.benchmarks.session_log import HEAD, chain_of, log, record

LOG = make_log(120)


def head_of(kind: int, sequence: int, length: int) -> int:
    """Return where the record of this head begins in `LOG`."""
    return LOG.index(struct.pack(layout.RECORD_HEAD_FORMAT, layout.RECORD_MARK, kind, sequence, length))


SECOND_SAMPLES = head_of(layout.SAMPLES, 2, 40 * layout.SAMPLE_BYTES)
EVENTS = head_of(layout.EVENTS, 3, 4 * layout.EVENT_BYTES)
LAST = LOG.rindex(struct.pack("<BBH", layout.RECORD_MARK, layout.END, 4))
GOLDEN = Path(__file__).parents[3] / "golden"


def test_field_names_are_those_of_the_format() -> None:
    """The typed records follow the format's tables."""
    assert list(Sample._fields) == [name for name, _ in layout.SAMPLE_FIELDS]
    assert list(Event._fields) == [name for name, _ in layout.EVENT_FIELDS]


def test_a_sound_log() -> None:
    """Every record is read, verified and summed up."""
    session = sessionfile.decode(LOG)
    assert session.verified and not session.damage
    assert (len(session.samples), len(session.events), session.records) == (120, 4, 5)
    facts = sessionfile.summary(session)
    assert facts["outcome"] == "complete"
    assert facts["dose_prescribed_ma_min"] == facts["dose_delivered_ma_min"] == 1.0
    assert facts["duration_s"] == 62.0
    assert json.dumps(facts)


def test_csv_has_units_in_its_columns() -> None:
    """Samples and events stand in order of time."""
    out = io.StringIO()
    logexport.write_csv(sessionfile.decode(LOG), out)
    lines = out.getvalue().splitlines()
    assert lines[0].split(",") == list(logexport.CSV_COLUMNS)
    assert len(lines) == 1 + 120 + 4
    times = [float(line.split(",")[0]) for line in lines[1:]]
    assert times == sorted(times)
    assert lines[1].endswith("state RAMP_UP")


@pytest.mark.hazard("HAZ-32")
def test_a_damaged_record_is_named_and_read_past() -> None:
    """One flipped bit costs one record; the others are there."""
    position = SECOND_SAMPLES
    damaged = bytearray(LOG)
    damaged[position + 100] ^= 0x10
    session = sessionfile.decode(bytes(damaged))
    assert not session.verified
    assert [(item.offset, item.reason) for item in session.damage] == [(position, "damaged")]
    assert (len(session.samples), session.outcome) == (80, "complete")


@pytest.mark.hazard("HAZ-32")
def test_a_missing_record_is_named() -> None:
    """A record that was cut out whole leaves a gap in the sequence."""
    start, end = SECOND_SAMPLES, EVENTS
    session = sessionfile.decode(LOG[:start] + LOG[end:])
    assert [item.reason for item in session.damage] == ["1 records are missing before this one"]


@pytest.mark.hazard("HAZ-32")
def test_an_altered_record_with_a_sound_checksum_breaks_the_chain() -> None:
    """Against a number changed on purpose, CRC and all: the chain tells; so does a record taken from another log."""
    start, end = SECOND_SAMPLES, EVENTS
    payload = bytearray(LOG[start + 6 : end - 36])
    payload[8] ^= 1
    forged = record(layout.SAMPLES, 2, bytes(payload), chain_of(LOG[:start]))
    session = sessionfile.decode(LOG[:start] + forged + LOG[end:])
    assert not session.verified
    assert [item.offset for item in session.damage] == [end], "what follows does not continue it"
    other = make_log(120, charge_uc=30_000)
    session = sessionfile.decode(LOG[:start] + other[start:end] + LOG[end:])
    assert not session.verified and "chain" in session.damage[0].reason


@pytest.mark.hazard("HAZ-32")
@pytest.mark.parametrize("version", [1, 2])
def test_golden_logs_of_every_version(version: int) -> None:
    """Real sessions of the virtual Pico, one for each format that ever was: 2 mA, 0.15 mA*min, one reversal."""
    session = sessionfile.read(GOLDEN / f"format_{version}.ilog")
    assert session.verified and session.format == version, session.damage
    assert (session.outcome, session.dose["dose_uc"], session.charge_uc) == (
        "complete",
        9_000,
        session.end["charge_uc"],
    )
    assert session.charge_uc == pytest.approx(9_000, rel=0.005)
    assert [event.code for event in session.events if event.event == layout.POLARITY] == [1, 2]
    assert max(sample.current_max_ua for sample in session.samples) == session.current_max_ua
    assert [sample.t_ms for sample in session.samples] == sorted(sample.t_ms for sample in session.samples)
    assert all(sample.current_min_ua <= sample.current_mean_ua <= sample.current_max_ua for sample in session.samples)
    assert bool(session.chain) == (version == 2)
    if version == 2:
        assert session.chain.hex() == "924abe99f17845ad662145844d112aa798e2b366674ecfcd8cae1c3485393a6d"
        assert sum(sample.cycles for sample in session.samples) > 6_000


@pytest.mark.hazard("HAZ-32")
@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([1, 2]),
    st.lists(
        st.tuples(st.integers(0, 4_400), st.sampled_from(["flip", "cut", "insert"]), st.binary(max_size=9)), max_size=4
    ),
)
def test_damaged_golden_logs_are_read_in_every_use(version: int, harm: list[tuple[int, str, bytes]]) -> None:
    """Flipped, cut and inserted bytes: never an exception but the documented one, in no use of the session."""
    whole = (GOLDEN / f"format_{version}.ilog").read_bytes()
    data = bytearray(whole)
    for at, kind, extra in harm:
        if kind == "flip" and data:
            data[at % len(data)] ^= 1 + (extra[0] if extra else 0) % 255
        elif kind == "cut":
            del data[at : at + len(extra)]
        else:
            data[at:at] = extra
    try:
        session = sessionfile.decode(bytes(data))
    except NotALogError:
        return
    assert session.verified == (bytes(data) == whole)
    sessionfile.summary(session)
    logdiff.compare(session)
    for write in (logexport.write_csv, logexport.write_json):
        write(session, io.StringIO())


@pytest.mark.hazard("HAZ-32")
def test_a_log_that_is_still_open() -> None:
    """Without its end record a log is not verified, and is told apart from a damaged one."""
    session = sessionfile.decode(LOG[:LAST])
    assert session.open_ended and not session.verified
    assert session.outcome == "unknown"


@pytest.mark.hazard("HAZ-24", "HAZ-31")
def test_what_an_interrupted_log_knows() -> None:
    """Samples without an end give the least that was delivered; the end's own charge comes first."""
    session = sessionfile.decode(LOG[:LAST])
    facts = sessionfile.summary(session)
    assert facts["at_least"] and sessionfile.delivered(facts) == "at least 1.000"
    end: dict[str, object] = {"outcome": protocol.INTERRUPTED}
    facts = sessionfile.summary(sessionfile.decode(make_log(60, charge_uc=30_000, end=end)))
    assert sessionfile.delivered(facts) == "at least 0.500"
    facts = sessionfile.summary(sessionfile.decode(make_log(0, events=False, end=end)))
    assert facts["dose_delivered_ma_min"] is None and sessionfile.delivered(facts) == "unknown"
    assert not sessionfile.summary(sessionfile.decode(LOG))["at_least"]


def test_the_self_test_is_a_record_of_its_own() -> None:
    """It is read, and not taken for the end."""
    data = log([(layout.ARM, b'{"variant":"A"}'), (layout.TEST, b'{"zero_ua":3}')])
    session = sessionfile.decode(data)
    assert session.test == {"zero_ua": 3} and not session.end and session.open_ended


@pytest.mark.hazard("HAZ-31")
def test_the_greatest_current_is_that_of_all_records() -> None:
    """A fault between two samples, or in no sample, counts."""
    end: dict[str, object] = {"outcome": protocol.FAULTED, "charge_uc": 1, "max_current_ua": 4_701}
    session = sessionfile.decode(make_log(end=end))
    assert session.current_max_ua == 4_701
    session.events.append(Event(9, layout.FAULT_LATCHED, 121, 5_610, 0))
    assert session.current_max_ua == 5_610


@pytest.mark.parametrize("data", [b"", b"IONTOLOG", b"GARBAGE!\x01\x00", b"IONTOLOG\xff\x7f"])
def test_what_is_no_log_is_refused(data: bytes) -> None:
    """Another file, or a log of a future format, is refused in words."""
    with pytest.raises(NotALogError):
        sessionfile.decode(data)
    assert sessionfile.good_prefix(data) == 0


@pytest.mark.hazard("HAZ-32")
@given(st.integers(0, len(LOG)))
def test_truncated_anywhere(length: int) -> None:
    """A log cut at any length gives what is whole, marked, or the documented error."""
    try:
        session = sessionfile.decode(LOG[:length])
    except NotALogError:
        assert length < 10
        return
    assert session.verified == (length == len(LOG))
    assert sessionfile.good_prefix(LOG[:length]) <= length
    sessionfile.summary(session)


@pytest.mark.hazard("HAZ-32")
@given(st.integers(0, len(LOG) - 1), st.integers(0, 7))
def test_a_bit_flipped_anywhere(position: int, bit: int) -> None:
    """No flipped bit goes unnoticed."""
    data = bytearray(LOG)
    data[position] ^= 1 << bit
    try:
        session = sessionfile.decode(bytes(data))
    except NotALogError:
        assert position < 10
        return
    assert not session.verified
    assert sessionfile.good_prefix(bytes(data)) <= max(position, 10)


RECORDS = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.integers(0, 255),
        st.one_of(st.binary(max_size=64), st.just(b"{}"), st.just(b'{"dose":"["}')),
    )
)


@given(RECORDS, st.binary(max_size=40))
def test_any_records_and_garbage(records: list[tuple[int, int, bytes]], tail: bytes) -> None:
    """Records with sound checksums and nonsense inside raise nothing, in any use of the session."""
    data = HEAD + b"".join(record(*item) for item in records) + tail
    session = sessionfile.decode(data)
    sessionfile.summary(session)
    logexport.write_csv(session, io.StringIO())


@given(
    st.dictionaries(
        st.sampled_from(["outcome", "charge_uc", "dose", "t_ms"]),
        st.one_of(st.none(), st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=2)),
    )
)
def test_any_json_in_arm_and_end(body: dict[str, object]) -> None:
    """JSON of the wrong types is summed up as unknown, never a traceback."""
    payload = json.dumps(body).encode()
    data = log([(layout.ARM, payload), (layout.END, payload)])
    assert json.dumps(sessionfile.summary(sessionfile.decode(data)))


@settings(max_examples=30)
@given(st.binary(max_size=2_000))
def test_random_bytes(data: bytes) -> None:
    """Random bytes after the magic are damage."""
    session = sessionfile.decode(HEAD + data)
    assert not session.verified


def test_speed() -> None:
    """A full log decodes well under 0.3 s of the processor's time, and a hostile one of the same size does not hang."""
    data = make_log(1_400)
    began = time.process_time()
    assert sessionfile.decode(data).verified
    assert time.process_time() - began < 0.3
    hostile = HEAD + bytes([layout.RECORD_MARK, layout.END, 1, 0, 0xFF, 0x0F, 0x7B]) * 9_000
    began = time.process_time()
    sessionfile.decode(hostile)
    assert time.process_time() - began < 3.0


def test_events_are_told_in_words() -> None:
    """Each kind of event has words of its own; an unknown one is still told."""
    told = [
        Event(0, layout.STATE_CHANGED, protocol.HOLD, 0, 0),
        Event(0, layout.FAULT_LATCHED, 140, 0, 0),
        Event(0, layout.REQUESTED, protocol.ABORT, 0, 0),
        Event(0, layout.CONTACT_LIMITED, 1, 0, 0),
        Event(0, layout.BUTTON, 2, 0, 0),
        Event(0, 99, 1, 0, 0),
    ]
    words = [
        "state HOLD",
        "fault OPEN_CIRCUIT",
        "request abort",
        "contact limited",
        "button STOP",
        "event 99, code 1",
    ]
    assert [event.describe() for event in told] == words


@pytest.mark.hazard("HAZ-24")
def test_the_extension_is_told_only_when_the_contact_was_poor() -> None:
    """Time over the plan counts as an extension when the log has an event of poor contact."""
    end = {"outcome": protocol.COMPLETE, "charge_uc": 60_000, "t_ms": 93_000, "on_ms": 92_000, "planned_on_ms": 62_000}
    session = sessionfile.decode(make_log(end={**end}))
    assert session.extended_s == 0
    session.events.append(Event(5_000, layout.CONTACT_LIMITED, 1, 900, 20_000))
    assert session.extended_s == 30
    assert sessionfile.decode(LOG).extended_s is None
    assert Event(0, layout.POLARITY, 2, 0, 0).describe() == "polarity -"
