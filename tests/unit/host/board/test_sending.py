"""What goes to a board in pieces: it arrives whole, and nothing in it stops the program that receives it."""

from __future__ import annotations

import io
import sys
import zlib
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ionto_host.board.sending import ACKNOWLEDGED, END, PIECE_BYTES, RECEIVER, pieces

CONTROL = bytes((0x01, 0x02, 0x03, 0x04, 0x11, 0x13, 0x1A, 0x1B, 0x1C))
CONTENT = st.one_of(
    st.binary(max_size=3 * PIECE_BYTES),
    st.lists(st.sampled_from([bytes((code,)) for code in (*CONTROL, 0x41, 0x42, 0x43, 0x5B)]), max_size=9_000).map(
        b"".join
    ),
)


class _Deflate(ModuleType):
    """MicroPython's module, as far as the receiver uses it."""

    RAW = 3

    @staticmethod
    def DeflateIO(stream: io.BytesIO, form: int, bits: int) -> io.BytesIO:  # noqa: N802 - MicroPython's name
        assert form == _Deflate.RAW
        return io.BytesIO(zlib.decompress(stream.read(), -bits))


def received(data: bytes, path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the board's program on what is sent for `data`; return what it prints."""
    sent = b"".join(piece for _, piece in pieces(data)) + END
    printed = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "deflate", _Deflate("deflate"))
        patch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(sent)))
        patch.setattr(sys, "stdout", printed)
        program: dict[str, object] = {}
        exec(f"{RECEIVER}\n_receive({str(path)!r})", program)
    return printed.getvalue()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(CONTENT)
def test_a_file_arrives_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    count = sum(1 for _ in pieces(data))
    assert received(data, tmp_path / "file", monkeypatch) == ACKNOWLEDGED.decode() * count
    assert (tmp_path / "file").read_bytes() == data
    assert sum(size for size, _ in pieces(data)) == len(data)


@given(CONTENT)
def test_nothing_stops_the_prompt_or_the_terminal(data: bytes) -> None:
    """Ctrl-C above all, and what a terminal or flow control acts on."""
    for _, piece in pieces(data):
        assert not set(piece) & (set(CONTROL) - {0x1B})
        assert int(piece[:4], 16) == len(piece) - 4
