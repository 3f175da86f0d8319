"""The firmware's manifest: whatever is wrong with it is FILES_DAMAGED, and nothing raises."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from fake_flash import Flash, checked, logs_on
from plant import device

from ionto import faults, filecheck, protocol

WHOLE = (2, "")
DAMAGED = (0, filecheck.MANIFEST_PATH)
DIGEST = "0" * 64
SHAPES = [
    None,
    7,
    1.5,
    "files",
    [],
    ["files"],
    {},
    {"files": None},
    {"files": 7},
    {"files": "/main.py"},
    {"files": []},
    {"files": ["/main.py"]},
    {"files": [["/main.py", DIGEST]]},
    {"files": {}},
    {"files": {"/main.py": None}},
    {"files": {"/main.py": 7}},
    {"files": {"/main.py": [DIGEST]}},
    {"files": {"/main.py": {"sha256": DIGEST}}},
]


def result(steps: Generator[None, None, tuple[int, str]]) -> tuple[int, str]:
    """Return what the work `steps` comes to."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def found(flash: Flash) -> tuple[int, str]:
    """Return what the firmware says of the files on `flash`."""
    with logs_on(flash):
        return result(filecheck.check())


@pytest.mark.hazard("HAZ-30")
def test_every_bit_of_the_manifest_counts() -> None:
    """Against a bit that flips in a field that nothing compares: the CRC-32 covers them all, and itself."""
    flash = Flash()
    sound = flash.system[filecheck.MANIFEST_PATH]
    assert found(flash) == WHOLE
    for bit in range(8 * len(sound)):
        flipped = bytearray(sound)
        flipped[bit // 8] ^= 1 << bit % 8
        flash.system[filecheck.MANIFEST_PATH] = bytes(flipped)
        assert found(flash) == DAMAGED, f"bit {bit % 8} of byte {bit // 8}"


@pytest.mark.hazard("HAZ-30")
def test_a_manifest_that_is_cut_is_damaged() -> None:
    flash = Flash()
    sound = flash.system[filecheck.MANIFEST_PATH]
    for length in range(len(sound)):
        flash.system[filecheck.MANIFEST_PATH] = sound[:length]
        assert found(flash) == DAMAGED, f"{length} bytes of {len(sound)}"


@pytest.mark.hazard("HAZ-30")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_manifest_of_another_shape_is_damaged(shape: Any) -> None:
    """Whole, with the right CRC-32: some other program's file, or some other version's."""
    flash = Flash()
    flash.system[filecheck.MANIFEST_PATH] = checked(shape)
    assert found(flash) == DAMAGED


@pytest.mark.hazard("HAZ-30")
@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\n", b"{\n", b"\x00" * 300, checked([])[:-1]])
def test_a_manifest_that_is_none_refuses_the_session(content: bytes) -> None:
    with device() as board:
        board.hal.bench_strap = True
        board.run(2)
        board.flash.system[filecheck.MANIFEST_PATH] = content
        board.start()
        board.finish()
        assert (board.state, board.app.session.fault) == (protocol.FAULT, faults.FILES_DAMAGED)
        assert board.plant.peak_ua == 0
