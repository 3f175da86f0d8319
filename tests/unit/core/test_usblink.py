"""Frames and the serial link: whatever arrives, no exception and no wrong request; the next good one is answered."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

import pytest
from fake_port import Port, answers, request
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from ionto import crc, frames, protocol
from ionto.usblink import UsbLink

TABLE = crc.make_table()
PIECES_OF_A_REQUEST = 4  # look, check, pass on, and one more look
QUIET_POLLS = 210  # a frame that stops arriving is dropped after 0.2 s
SENT = st.tuples(st.integers(0, 0x7F), st.integers(0, 255), st.binary(max_size=40))
BYTES = st.binary(max_size=60)
# Garbage that looks like the protocol: syncs, headers, pieces of frames.
NASTY = st.one_of(
    BYTES,
    st.lists(st.sampled_from([b"\xa5", b"\xc3", b"\xa5\xc3", b"\xa5\xa5", b"\r", b"\n", b"ls\r\n", b"\x00"])).map(
        b"".join
    ),
    st.builds(lambda frame, cut: request(*frame)[: cut % (len(frame[2]) + 12)], SENT, st.integers(0, 60)),
    st.builds(lambda length: b"\xa5\xc3\x02\x01" + struct.pack("<HH", length, 0), st.integers(0, 0xFFFF)),
)


class Wire:
    """A link on a port, whose handler keeps what it is given and echoes it."""

    def __init__(self, budget: int = 64, answering: bool = True):
        self.port = Port()
        self.handed: list[tuple[int, int, bytes]] = []
        self.rejected: list[tuple[int, int]] = []
        self.budget = budget
        self.answering = answering
        self.ready = True
        self.link = UsbLink(self.port, self._handle, self._reject, lambda kind: self.ready)

    def _handle(self, kind: int, sequence: int, buffer: bytearray, start: int, length: int) -> None:
        payload = bytes(buffer[start : start + length])
        self.handed.append((kind, sequence, payload))
        if self.answering:
            self.link.answer_bytes(kind | 0x80, sequence, payload)

    def _reject(self, kind: int, sequence: int) -> None:
        self.rejected.append((kind, sequence))
        if self.answering:
            self.link.answer(0xFF, sequence, 0)

    def poll(self, times: int = 1) -> None:
        """Poll, and check that no poll moves more than its pieces may either way: two bytes each."""
        for _ in range(times):
            before = self.port.moved_in, self.port.moved_out
            self.link.poll(self.budget)
            assert self.port.moved_in - before[0] <= 2 * self.budget
            assert self.port.moved_out - before[1] <= 2 * self.budget

    def send(self, data: bytes) -> None:
        """Put bytes on the wire and poll until they are taken and answered."""
        self.port.to_device.extend(data)
        still = 0
        for _ in range(9_000):
            self.poll()
            still = 0 if self.port.to_device or self.link.busy() else still + 1
            if still == PIECES_OF_A_REQUEST:
                return
        raise AssertionError("never taken")

    def quiet(self) -> None:
        """Nothing arrives for longer than a frame may stop."""
        self.poll(QUIET_POLLS)


def on_the_wire(handed: Iterable[tuple[int, int, bytes]], stream: bytes) -> bool:
    """Return True when each request in `handed` was in `stream` as whole bytes, one after the other."""
    at = 0
    for frame in handed:
        at = stream.find(request(*frame), at)
        if at < 0:
            return False
        at += len(frame[2]) + 12
    return True


# Frames in a buffer.


@given(st.binary(max_size=300), st.integers(0, 300), st.integers(0, 300))
def test_skip_keeps_all_from_the_next_sync_on(data: bytes, filled: int, count: int) -> None:
    filled = min(filled, len(data))
    count = min(count, filled)
    buffer = bytearray(data)
    left = frames.skip(buffer, filled, count)
    rest = data[count:filled]
    expected = rest[rest.index(0xA5) :] if 0xA5 in rest else b""
    assert bytes(buffer[:left]) == expected
    assert len(buffer) == len(data)


@given(SENT)
def test_need_asks_for_a_frame_byte_by_byte(frame: tuple[int, int, bytes]) -> None:
    data = request(*frame)
    buffer = bytearray(data + bytes(100))
    for filled in range(1, len(data)):
        need = frames.need(TABLE, buffer, filled, len(buffer))
        assert filled < need <= len(data)
    assert frames.need(TABLE, buffer, len(data), len(buffer)) == len(data)
    assert bytes(buffer[: len(data)]) == data


@pytest.mark.hazard("HAZ-28")
@given(SENT, st.integers(0, 63))
def test_need_refuses_a_damaged_header(frame: tuple[int, int, bytes], bit: int) -> None:
    data = bytearray(request(*frame))
    data[bit // 8] ^= 1 << bit % 8
    assert frames.need(TABLE, data, len(data), len(data)) == frames.NOT_A_FRAME


@pytest.mark.hazard("HAZ-28")
def test_need_refuses_a_frame_that_does_not_fit() -> None:
    """Against overflow of the receive buffer. One byte more than fits is no frame."""
    most = protocol.MAX_REQUEST_BYTES
    room = most + protocol.OVERHEAD_BYTES
    for length, expected in ((most, room), (most + 1, frames.NOT_A_FRAME), (0xFFFF, frames.NOT_A_FRAME)):
        head = b"\xa5\xc3" + struct.pack("<BBH", 2, 1, length)
        buffer = bytearray(room)
        buffer[:8] = head + crc_low(head)
        assert frames.need(TABLE, buffer, 8, len(buffer)) == expected


def crc_low(head: bytes) -> bytes:
    """Return the header check of `head`."""
    return struct.pack("<H", zlib.crc32(head) & 0xFFFF)


# The link.


def test_golden_frames() -> None:
    """The bytes on the wire, as docs/protocol.md has them: a change of them is a new protocol version."""
    wire = Wire(answering=False)
    wire.send(bytes.fromhex("a5c30201000049 1192efd941"))
    assert wire.handed == [(protocol.STATUS, 1, b"")]
    wire.link.answer_bytes(0x83, 7, b"ok")
    wire.send(b"")
    assert wire.port.from_device == bytes.fromhex("a5c38307020027de6f6bd7cb9dfa")


@pytest.mark.hazard("HAZ-28")
@given(st.lists(SENT, max_size=6), st.integers(1, 80))
def test_frames_survive_any_chunking(sent: list[tuple[int, int, bytes]], budget: int) -> None:
    """However few bytes a poll moves, every request arrives once, in order, and is answered whole."""
    wire = Wire(budget)
    wire.send(b"".join(request(*frame) for frame in sent))
    assert wire.handed == sent
    assert answers(wire.port.from_device) == [(kind | 0x80, sequence, data) for kind, sequence, data in sent]
    assert wire.rejected == []


@pytest.mark.hazard("HAZ-28")
@given(st.lists(st.tuples(SENT, st.lists(st.integers(1, 40), max_size=4)), max_size=4))
def test_frames_survive_gaps(sent: list[tuple[tuple[int, int, bytes], list[int]]]) -> None:
    """A frame may arrive in pieces with pauses under 0.2 s between them."""
    wire = Wire()
    for frame, cuts in sent:
        data = request(*frame)
        for cut in cuts:
            wire.port.to_device.extend(data[:cut])
            data = data[cut:]
            wire.poll(150)
        wire.send(data)
    assert wire.handed == [frame for frame, _ in sent]


@pytest.mark.hazard("HAZ-28")
@settings(max_examples=60)
@given(st.lists(st.one_of(NASTY, SENT), max_size=10), st.integers(1, 64), SENT)
def test_garbage_is_skipped_and_the_next_request_answered(
    stream: list[bytes | tuple[int, int, bytes]], budget: int, last: tuple[int, int, bytes]
) -> None:
    """Against link garbage. Only requests that were sent are handed on, and after a quiet time the next one is."""
    wire = Wire(budget)
    data = b"".join(request(*item) if isinstance(item, tuple) else item for item in stream)
    wire.send(data)
    wire.quiet()
    assert on_the_wire(wire.handed, data)
    del wire.handed[:], wire.port.from_device[:]
    wire.send(request(*last))
    assert wire.handed == [last]
    assert answers(wire.port.from_device) == [(last[0] | 0x80, last[1], last[2])]


@pytest.mark.hazard("HAZ-28")
@given(SENT, SENT, st.integers(0, 10_000))
def test_a_flipped_bit_is_never_a_request(
    frame: tuple[int, int, bytes], then: tuple[int, int, bytes], bit: int
) -> None:
    """Against a damaged request. It is rejected or skipped; the one after the quiet time is answered."""
    wire = Wire()
    data = bytearray(request(*frame))
    bit %= len(data) * 8
    data[bit // 8] ^= 1 << bit % 8
    wire.send(bytes(data))
    wire.quiet()
    assert wire.handed == []
    if bit >= 64:
        assert wire.rejected == [(frame[0], frame[1])]
    wire.send(request(*then))
    assert wire.handed == [then]


@pytest.mark.hazard("HAZ-28")
@given(SENT, st.integers(1, 500))
def test_a_truncated_frame_is_forgotten(frame: tuple[int, int, bytes], cut: int) -> None:
    """Against a host that dies in the middle of a request. 0.2 s later the next one starts afresh."""
    wire = Wire()
    data = request(*frame)
    wire.send(data[: cut % len(data)])
    wire.quiet()
    wire.send(request(7, 7))
    assert wire.handed == [(7, 7, b"")]


@given(SENT, st.integers(2, 5))
def test_a_repeated_frame_is_handed_on_each_time(frame: tuple[int, int, bytes], times: int) -> None:
    """Repeats are the commands' to judge: the link neither drops nor invents one."""
    wire = Wire()
    wire.send(request(*frame) * times)
    assert wire.handed == [frame] * times


@pytest.mark.hazard("HAZ-28")
def test_the_largest_request_arrives_and_one_byte_more_does_not() -> None:
    wire = Wire()
    wire.send(request(3, 1, bytes(protocol.MAX_REQUEST_BYTES)))
    assert wire.handed == [(3, 1, bytes(protocol.MAX_REQUEST_BYTES))]
    wire.send(request(3, 2, b"\x01" * (protocol.MAX_REQUEST_BYTES + 1)))
    wire.quiet()
    wire.send(request(2, 3))
    assert wire.handed[1:] == [(2, 3, b"")]


@pytest.mark.hazard("HAZ-28")
def test_a_frame_right_behind_a_damaged_one_is_found() -> None:
    """Resynchronisation without a quiet time: the damaged frame costs itself only."""
    wire = Wire()
    damaged = bytearray(request(5, 1, b"abc"))
    damaged[-1] ^= 1
    wire.send(bytes(damaged) + request(2, 2))
    assert wire.handed == [(2, 2, b"")]
    assert wire.rejected == [(5, 1)]


@pytest.mark.hazard("HAZ-28")
def test_frames_swallowed_by_a_truncated_one_are_found() -> None:
    """Against a host that dies in a request and is back at once. What the lost frame swallowed is looked at again."""
    wire = Wire()
    wire.send(request(3, 1, bytes(24))[:10] + request(2, 2) + request(2, 3) + request(2, 4))
    wire.poll(50)
    assert wire.rejected == [(3, 1)]
    assert [sequence for _, sequence, _ in wire.handed] == [2, 3, 4]


@pytest.mark.hazard("HAZ-28")
def test_a_request_inside_the_payload_of_a_good_one_is_not_taken() -> None:
    """Against a payload taken for a request. What is inside a good frame is content."""
    wire = Wire()
    inner = request(5, 9)
    wire.send(request(3, 1, inner))
    assert wire.handed == [(3, 1, inner)]


@pytest.mark.hazard("HAZ-28")
def test_a_handler_that_does_not_answer_does_not_stop_the_link() -> None:
    wire = Wire(answering=False)
    wire.send(request(11, 1) + request(2, 2))
    assert [kind for kind, _, _ in wire.handed] == [11, 2]


@pytest.mark.hazard("HAZ-28")
def test_a_host_that_does_not_read_blocks_nothing_and_loses_nothing() -> None:
    """Against a link that blocks the loop. The answer waits; requests behind it wait too, and all come in order."""
    wire = Wire(12)
    wire.port.reading_host = False
    wire.port.to_device.extend(request(2, 1) + request(2, 2))
    wire.poll(100)
    assert len(wire.handed) == 1
    assert wire.port.from_device == b""
    wire.port.reading_host = True
    wire.poll(100)
    assert [sequence for _, sequence, _ in wire.handed] == [1, 2]
    assert [sequence for _, sequence, _ in answers(wire.port.from_device)] == [1, 2]


@pytest.mark.hazard("HAZ-28")
def test_bulk_goes_out_as_the_host_takes_it_and_is_given_up_when_it_takes_none() -> None:
    """A host that takes 64 bytes every 20 cycles gets it all; one that takes nothing for half a second has gone."""
    wire = Wire()
    data = bytes(range(256)) * 8
    wire.link.payload()[8 : 8 + len(data)] = data
    wire.link.send_bulk(0x91, 3, len(data))
    for _ in range(33):
        assert wire.link.busy()
        wire.port.takes = 64
        wire.poll(20)
    assert not wire.link.busy() and not wire.link.stalled
    assert answers(wire.port.from_device) == [(0x91, 3, data)]
    wire.port.reading_host = False
    wire.link.send_bulk(0x91, 3, 4)
    wire.poll(500)
    assert wire.link.busy()
    wire.poll(1)
    assert not wire.link.busy() and wire.link.stalled


# A person at a terminal.


def press_enter(wire: Wire, keys: bytes = b"\r") -> str:
    """Type `keys`; return what comes back."""
    del wire.port.from_device[:]
    wire.send(keys)
    return wire.port.from_device.decode()


@pytest.mark.parametrize("keys", [b"\r", b"\n", b"\r\n", b"help\r\n", b"import os\r"])
def test_enter_is_answered_with_two_lines(keys: bytes) -> None:
    text = press_enter(Wire(), keys)
    assert text == protocol.BANNER
    assert text.count("\r\n") == 2 and text.endswith("\r\n")
    assert "IontoPico" in text and "ionto" in text.splitlines()[1]


def test_the_two_lines_come_once_a_second_at_most() -> None:
    wire = Wire()
    first = press_enter(wire)
    assert first
    assert press_enter(wire, b"\r" * 50) == ""
    wire.poll(900)
    assert press_enter(wire) == ""
    wire.poll(110)
    assert press_enter(wire) == first


@pytest.mark.hazard("HAZ-28")
def test_binary_noise_is_not_a_person() -> None:
    """A line that holds anything but text is not answered: the other end may be a program that got lost."""
    assert press_enter(Wire(), b"\x01\x02\r") == ""
    assert press_enter(Wire(), bytes(range(128, 160)) + b"\n") == ""


@pytest.mark.hazard("HAZ-28")
def test_text_between_requests_changes_nothing() -> None:
    wire = Wire()
    wire.send(request(2, 1) + b"hello\r\n" + request(2, 2))
    assert [sequence for _, sequence, _ in wire.handed] == [1, 2]


class LinkMachine(RuleBasedStateMachine):
    """Garbage, pieces, stalls and requests in any order. Every request sent after a quiet time is answered."""

    def __init__(self) -> None:
        super().__init__()
        self.wire = Wire(budget=12)
        self.sent = b""

    @rule(data=NASTY)
    def garbage(self, data: bytes) -> None:
        self.sent += data
        self.wire.port.to_device.extend(data)
        self.wire.poll(3)

    @rule(frame=SENT)
    def good(self, frame: tuple[int, int, bytes]) -> None:
        self.sent += request(*frame)
        self.wire.port.to_device.extend(request(*frame))
        self.wire.poll(2)

    @rule(polls=st.integers(1, 250))
    def time_passes(self, polls: int) -> None:
        self.wire.poll(polls)

    @rule(reads=st.booleans())
    def host(self, reads: bool) -> None:
        self.wire.port.reading_host = reads

    @rule(frame=SENT)
    def quiet_then_good(self, frame: tuple[int, int, bytes]) -> None:
        self.wire.port.reading_host = True
        self.wire.send(b"")
        self.wire.quiet()
        self.sent += request(*frame)
        before = len(self.wire.handed)
        self.wire.send(request(*frame))
        assert self.wire.handed[before:] == [frame]

    def teardown(self) -> None:
        assert on_the_wire(self.wire.handed, self.sent)


TestLinkMachine = LinkMachine.TestCase
TestLinkMachine.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


def test_a_request_that_has_to_wait_is_kept_and_taken_once() -> None:
    """For longer than a frame that stops arriving is kept; what came behind it comes after it."""
    wire = Wire()
    wire.ready = False
    wire.port.to_device.extend(request(3, 1, bytes(100)) + request(2, 2))
    wire.poll(300)
    assert wire.handed == []
    wire.ready = True
    wire.poll(QUIET_POLLS)
    assert wire.handed == [(3, 1, bytes(100)), (2, 2, b"")]


def test_a_request_that_has_to_wait_is_looked_at_once_a_cycle() -> None:
    """Against a cycle that spends all its pieces on asking whether it is time yet."""
    wire, asked = Wire(), []

    def ready(kind: int) -> bool:
        asked.append(kind)
        return False

    wire.link = UsbLink(wire.port, wire._handle, wire._reject, ready)
    wire.port.to_device.extend(request(0x02, 1, b""))
    wire.poll(5)
    del asked[:]
    wire.poll(3)
    assert asked == [0x02] * 3 and wire.handed == []
