"""The firmware's modules as one file: a damaged one is refused before it is imported."""

from __future__ import annotations

import binascii
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ionto_pack

CONTENT = bytes(range(256)) * 40
SOUND = CONTENT + struct.pack("<I", binascii.crc32(CONTENT))
on_one_file = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the file is."""
    path = tmp_path / "__init__.mpy"
    monkeypatch.setattr(ionto_pack, "PACK_PATH", str(path))
    return path


def test_a_sound_file_passes(pack: Path) -> None:
    pack.write_bytes(SOUND)
    ionto_pack.check()


def test_a_package_that_lies_open_passes(pack: Path) -> None:
    assert not pack.exists()
    ionto_pack.check()


@pytest.mark.hazard("HAZ-30")
@on_one_file
@given(st.integers(0, len(SOUND) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused(pack: Path, place: int, change: int) -> None:
    """Against a damaged firmware file. Nothing of it is imported."""
    data = bytearray(SOUND)
    data[place] ^= change
    pack.write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        ionto_pack.check()


@pytest.mark.hazard("HAZ-30")
@on_one_file
@given(st.integers(0, len(SOUND) - 1))
def test_a_cut_file_is_refused(pack: Path, length: int) -> None:
    """Against a damaged firmware file; a flash run that was interrupted."""
    pack.write_bytes(SOUND[:length])
    with pytest.raises(ValueError, match="damaged"):
        ionto_pack.check()


def test_the_search_path_is_narrowed_for_the_firmware_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(ionto_pack.USUAL_PATH))
    ionto_pack.narrow()
    assert sys.path == ionto_pack.NARROW_PATH
    ionto_pack.widen()
    assert sys.path == ionto_pack.USUAL_PATH


def test_a_search_path_of_somebody_else_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (["/mine"], ["", "/lib"]):
        monkeypatch.setattr(sys, "path", list(path))
        ionto_pack.narrow()
        ionto_pack.widen()
        assert sys.path == path
