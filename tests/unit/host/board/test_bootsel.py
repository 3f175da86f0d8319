"""A board in BOOTSEL: finding its drive, judging an image, writing it, and what an interruption leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uf2_image import image

from ionto_host import cli, uf2
from ionto_host.board import bootsel
from ionto_host.errors import (
    AmbiguousDeviceError,
    BootselError,
    IntegrityError,
    NoDeviceError,
    RefusedError,
)
from ionto_host.transport import drives, ports
from ionto_host.transport.drives import Drive

INFO = "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: {}\r\n"


def drive(folder: Path, board: str = "RPI-RP2") -> Path:
    """Make `folder` look like a board's drive."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "INFO_UF2.TXT").write_text(INFO.format(board))
    return folder


@pytest.fixture(autouse=True)
def _no_real_drives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing outside the test's folder is looked at."""
    monkeypatch.setenv("IONTO_SIMS", str(tmp_path / "sims"))
    monkeypatch.delenv("IONTO_BOOTSEL", raising=False)
    monkeypatch.setattr(drives, "_mounted", lambda: iter(sorted(tmp_path.glob("media/*"))))
    monkeypatch.setattr(bootsel, "_BY_LABEL", tmp_path / "no-such-label")


def test_without_a_port_a_board_in_bootsel_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ports, "discover", list)
    monkeypatch.delenv("IONTO_PORT", raising=False)
    assert cli.main(["status"]) == 3 and "Plug a board in" in capsys.readouterr().err
    drive(tmp_path / "media" / "RPI-RP2")
    assert cli.main(["status"]) == 3
    told = capsys.readouterr().err
    assert "a board in BOOTSEL" in told and "`ionto flash` puts" in told


def test_the_only_drive_is_chosen_and_others_are_left(tmp_path: Path) -> None:
    (tmp_path / "media" / "photos").mkdir(parents=True)
    assert bootsel.choose() is None
    found = drive(tmp_path / "media" / "RPI-RP2")
    assert bootsel.choose() == Drive(found, "RPI-RP2")
    drive(tmp_path / "media" / "RPI-RP21")
    with pytest.raises(AmbiguousDeviceError, match="2 boards"):
        bootsel.choose()
    assert bootsel.choose(found) == Drive(found, "RPI-RP2")


def test_what_is_no_pico_is_refused(tmp_path: Path) -> None:
    """A Pico 2 takes the image of a Pico without a word, and does not run it."""
    with pytest.raises(RefusedError, match="RP2350"):
        bootsel.choose(drive(tmp_path / "media" / "RP2350", "RP2350"))
    with pytest.raises(NoDeviceError, match="no INFO_UF2"):
        bootsel.choose(tmp_path)


def test_the_variable_names_a_drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IONTO_BOOTSEL", str(drive(tmp_path / "elsewhere")))
    assert [found.path.name for found in drives.drives()] == ["elsewhere"]


def test_mounts_of_linux_with_a_space_in_their_name(tmp_path: Path) -> None:
    table = tmp_path / "mounts"
    table.write_text(
        "/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 /media/my\\040name/RPI-RP2 vfat rw 0 0\nbroken\n", encoding="utf-8"
    )
    assert list(drives._linux_mounts(table)) == [Path("/media/my name/RPI-RP2")]
    assert list(drives._linux_mounts(tmp_path / "none")) == []


def test_a_drive_that_nobody_mounted_is_mounted_or_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without a desktop: the command to type."""
    monkeypatch.setattr(bootsel, "_BY_LABEL", drive(tmp_path / "by-label"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BootselError, match="not mounted") as caught:
        bootsel.choose()
    assert "sudo mount" in caught.value.action
    tool = tmp_path / "udisksctl"
    tool.write_text("#!/bin/sh\n/bin/echo refused >&2; exit 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BootselError, match="could not be mounted: refused"):
        bootsel.choose()
    tool.write_text(f"#!/bin/sh\n/bin/mkdir -p {tmp_path}/media; /bin/cp -r {tmp_path}/by-label {tmp_path}/media/it\n")
    chosen = bootsel.choose()
    assert chosen is not None and chosen.path.name == "it"


def test_writing(tmp_path: Path) -> None:
    target, seen = drive(tmp_path / "d"), []
    bootsel.write(Drive(target, "RPI-RP2"), image(100), lambda done, size: seen.append((done, size)))
    assert (target / "micropython.uf2").read_bytes() == image(100)
    assert seen[-1] == (51_200, 51_200) and len(seen) == 4


@pytest.mark.parametrize(("at", "good"), [(0, False), (1, False), (3, True)])
def test_a_drive_that_goes(tmp_path: Path, at: int, good: bool) -> None:
    """Early it was pulled out; with the last piece the board has all it needs and restarts."""
    target = drive(tmp_path / "d")

    def progress(done: int, size: int) -> None:
        if done == min((at + 1) * 16_384, size):
            (target / "INFO_UF2.TXT").unlink()
            raise OSError(5, "Input/output error")

    if good:
        bootsel.write(Drive(target, "RPI-RP2"), image(100), progress)
        return
    with pytest.raises(BootselError, match="of 51200 bytes") as caught:
        bootsel.write(Drive(target, "RPI-RP2"), image(100), progress)
    assert "ionto flash" in caught.value.action


def test_a_full_drive_is_told(tmp_path: Path) -> None:
    """The drive stays: an error at the very end is one too."""
    target = drive(tmp_path / "d")

    def progress(done: int, size: int) -> None:
        if done == size:
            raise OSError(28, "No space left on device")

    with pytest.raises(BootselError, match="No space left"):
        bootsel.write(Drive(target, "RPI-RP2"), image(100), progress)


def test_waiting_for_a_drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = drive(tmp_path / "media" / "old")
    with pytest.raises(BootselError, match="no drive RPI-RP2 appeared"):
        bootsel.wait(0.3, {old})
    new = drive(tmp_path / "media" / "new")
    assert bootsel.wait(5, {old}).path == new


def test_a_sound_image() -> None:
    assert uf2.check(image(8), "x") == 8 * 256
    assert uf2.check(image(3, flags=0x2001), "x") == 0


@pytest.mark.hazard("HAZ-30")
@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no whole"),
        (image(8)[:-512], "damaged"),
        (image(8)[:-1], "no whole"),
        (image(8)[512:], "damaged"),
        (b"\x7fELF" + image(8)[4:], "no UF2"),
        (image(8, family=0xE48BFF59), "another chip"),
        (image(8, flags=0), "another chip"),
    ],
)
def test_what_is_no_image_for_a_pico_is_refused(data: bytes, why: str, tmp_path: Path) -> None:
    """Before a byte is written."""
    with pytest.raises(IntegrityError, match=why):
        bootsel.write(Drive(drive(tmp_path / "d"), "RPI-RP2"), data, lambda *_: None)
    assert not (tmp_path / "d" / "micropython.uf2").exists()


@given(st.binary(max_size=2_048))
def test_any_bytes_are_an_image_or_an_error(data: bytes) -> None:
    try:
        assert uf2.check(data, "x") >= 0
    except IntegrityError as error:
        assert error.action
