"""The pack of modules: what goes in comes out through the calls MicroPython makes, and damage is refused."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionto.sessionlog import SessionLog
from ionto_host.board import firmware_files
from ionto_host.board.packing import pack
from ionto_pack import BUFFER_BYTES, NARROW_PATH, USUAL_PATH, Pack, narrow, widen

MODULES = {"a.mpy": b"first", "b.mpy": b"", "ccc.mpy": bytes(range(256)) * 20}


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,20}\.mpy", fullmatch=True), st.binary(max_size=3000), max_size=40))
def test_every_module_comes_back(modules: dict[str, bytes]) -> None:
    mounted = Pack(io.BytesIO(pack(modules)))
    assert [(entry[0], entry[3]) for entry in mounted.ilistdir("/")] == sorted((k, len(v)) for k, v in modules.items())
    for name, content in modules.items():
        for path in (name, "/" + name):
            assert mounted.stat(path)[0] == 0x8000
            assert mounted.stat(path)[6] == len(content)
            assert mounted.open(path, "rb").read() == content


def test_the_buffer_holds_every_module_and_becomes_the_logs_samples() -> None:
    """Memory for both at once would bring a collection into the boot. Afterwards a module can still be read."""
    tree = firmware_files.tree(Path(__file__).parents[3] / "firmware")
    compiled = firmware_files.compiled(tree, "armv6m")
    (packed,) = [item.data for item in compiled if item.path.endswith(".pack")]
    assert 0 < max(entry[3] for entry in Pack(io.BytesIO(packed)).ilistdir("/")) <= BUFFER_BYTES
    mounted = Pack(io.BytesIO(pack(MODULES)))
    buffer = mounted.take_buffer()
    log = SessionLog("/logs", buffer)
    assert log._samples is buffer and len(buffer) == BUFFER_BYTES
    assert mounted.open("ccc.mpy", "rb").read() == MODULES["ccc.mpy"]
    assert len(SessionLog("/logs")._samples) == len(SessionLog("/logs", bytearray(5))._samples) == BUFFER_BYTES


def read_all(data: bytes) -> None:
    """Mount a pack and read every module."""
    mounted = Pack(io.BytesIO(data))
    for name in MODULES:
        mounted.open(name, "rb")


def test_a_missing_name_is_what_import_expects() -> None:
    mounted = Pack(io.BytesIO(pack(MODULES)))
    for call in (mounted.stat, lambda path: mounted.open(path, "rb")):
        with pytest.raises(OSError, match="2"):
            call("/zz.py")
    assert mounted.stat("/")[0] == 0x4000


@pytest.mark.hazard("HAZ-30")
@given(st.integers(0, len(pack(MODULES)) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused(place: int, change: int) -> None:
    """Against a damaged firmware file. Nothing of it is imported."""
    data = bytearray(pack(MODULES))
    data[place] ^= change
    with pytest.raises(ValueError, match="damaged"):
        read_all(data)


@pytest.mark.hazard("HAZ-30")
@given(st.integers(0, len(pack(MODULES)) - 1))
def test_a_cut_file_is_refused(length: int) -> None:
    """Against a damaged firmware file; a flash run that was interrupted."""
    with pytest.raises(ValueError, match="damaged"):
        read_all(pack(MODULES)[:length])


def test_the_search_path_is_narrowed_for_the_firmware_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(USUAL_PATH))
    narrow()
    assert sys.path == NARROW_PATH
    widen()
    assert sys.path == USUAL_PATH


def test_a_search_path_of_somebody_else_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (["/mine"], ["", "/lib"]):
        monkeypatch.setattr(sys, "path", list(path))
        narrow()
        widen()
        assert sys.path == path
