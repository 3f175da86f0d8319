"""The frame codec: what goes in comes out, and garbage raises nothing and costs no good frame after it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionto import crc, frames, protocol
from ionto_host.transport.frames import TEXT_KEPT_BYTES, Decoder, Frame, encode

FRAMES = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=protocol.MAX_PAYLOAD_BYTES))
SMALL_FRAMES = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=60))


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Return `data` cut at `cuts`."""
    marks = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(marks)]


@given(st.lists(FRAMES, max_size=5), st.lists(st.integers(0, 10_000), max_size=8))
def test_round_trip_however_it_is_cut(frames: list[Frame], cuts: list[int]) -> None:
    """A stream of frames arrives as it was sent, whatever the read sizes."""
    decoder = Decoder()
    got = [
        frame for piece in pieces(b"".join(encode(*frame) for frame in frames), cuts) for frame in decoder.feed(piece)
    ]
    assert got == frames
    assert (decoder.damaged, decoder.skipped) == (0, 0)


@pytest.mark.hazard("HAZ-28")
@given(st.binary(max_size=300), SMALL_FRAMES)
def test_finds_back_after_garbage(garbage: bytes, frame: Frame) -> None:
    """After any garbage, frames sent for longer than the longest payload are found again."""
    decoder = Decoder()
    decoder.feed(garbage)
    sent = encode(*frame)
    got = decoder.feed(sent * (protocol.MAX_PAYLOAD_BYTES // len(sent) + 3))
    assert frame in got


@pytest.mark.hazard("HAZ-28")
@given(SMALL_FRAMES, SMALL_FRAMES, st.integers(0, 10_000), st.integers(0, 7))
def test_a_flipped_bit_costs_one_frame_at_most(first: Frame, second: Frame, position: int, bit: int) -> None:
    """No damaged frame is taken for a good one; the frame that follows arrives."""
    sent = bytearray(encode(*first))
    sent[position % len(sent)] ^= 1 << bit
    decoder = Decoder()
    got = decoder.feed(bytes(sent) + encode(*second) * 40)
    assert first not in got or first == second
    assert second in got


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_garbage_raises_nothing_and_stays_small(chunks: list[bytes]) -> None:
    """Whatever comes, the decoder keeps a bounded amount of it."""
    decoder = Decoder()
    for chunk in chunks:
        decoder.feed(chunk)
    assert len(decoder.text) <= TEXT_KEPT_BYTES


def test_text_between_frames_is_kept_for_diagnosis() -> None:
    """A boot banner between two frames is skipped and can be read."""
    decoder = Decoder()
    got = decoder.feed(encode(1, 2) + b"MPY: soft reboot\r\n" + encode(3, 4, b"x"))
    assert got == [Frame(1, 2, b""), Frame(3, 4, b"x")]
    assert decoder.text == "MPY: soft reboot\r\n"


def test_golden_frame() -> None:
    """The wire layout does not drift: HELLO of protocol 2, sequence 0x40."""
    assert encode(protocol.HELLO, 0x40, b"\x02").hex() == "a5c301400100" + "1168" + "02" + "75f29276"


@pytest.mark.hazard("HAZ-28")
@given(FRAMES)
def test_the_device_reads_what_the_host_writes(frame: Frame) -> None:
    """The firmware's own parser takes the host's frames."""
    sent = bytearray(encode(*frame))
    table = crc.make_table()
    if len(frame.payload) <= protocol.MAX_REQUEST_BYTES:
        assert frames.need(table, sent, protocol.HEADER_BYTES, len(sent)) == len(sent)
    assert crc.matches(table, sent, 0, len(sent) - protocol.CRC_BYTES)


def test_too_long_a_payload_is_refused() -> None:
    """The codec does not make frames that the other end must drop."""
    with pytest.raises(ValueError, match="at most"):
        encode(1, 1, bytes(protocol.MAX_PAYLOAD_BYTES + 1))
