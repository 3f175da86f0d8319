"""From a blank Pico to a board that answers: the BOOTSEL drive and the whole of `ionto flash`, interrupted anywhere."""

import json
import os

import pytest
import uf2_image
from workbench import run_tool, simulator

from ionto_host import cli
from ionto_host.board import flashing
from ionto_host.device import versions
from ionto_sim import image as flash_image


def ionto(capsys, *arguments):
    """Run `ionto` in this process; return (exit code, stdout, stderr)."""
    code = cli.main(list(arguments))
    return code, *capsys.readouterr()


@pytest.mark.hazard("HAZ-30")
def test_from_bootsel_to_a_passed_self_test_interrupted_at_every_stage(shop, capsys, monkeypatch):
    """Each interruption says what the board is, and the next run goes on from there."""
    with simulator(shop, "--bootsel", "--bench-strap") as paths:
        assert "waits for MicroPython" in run_tool("devices")[0]
        told = json.loads(run_tool("flash", "--dry-run", "--json")[0])
        assert told["drive"] == str(paths.bootsel) and told["official"] is False and told["dry_run"]
        for function, interrupted, stage in (
            ("ionto_host.board.bootsel.write", _interrupt_half_way, "half written"),
            ("ionto_host.board.flashing.verify", _interrupt, "half a firmware"),
            ("ionto_host.board.flashing._tested", _interrupt, "installed and verified"),
        ):
            with monkeypatch.context() as patched:
                patched.setattr(function, interrupted)
                code, _, err = ionto(capsys, "flash")
            assert code == 130 and stage in err, (function, err)
        code, out, _ = ionto(capsys, "flash")
        assert code == 0 and "everything was up to date" in out and "Self-test passed" in out
        assert json.loads(run_tool("info", "--json")[0])["clock_set"] is True


def _interrupt(*arguments, **options):
    raise KeyboardInterrupt


def _interrupt_half_way(drive, content, progress):
    """Half of the image is on the drive: with all of it, the board would restart while the next run writes."""
    (drive.path / "micropython.uf2").write_bytes(content[: len(content) // 2])
    raise KeyboardInterrupt


@pytest.mark.hazard("HAZ-30")
def test_a_running_board_is_sent_to_its_bootloader_and_keeps_what_is_its_own(shop, capsys):
    """Files of its owner outlast a new MicroPython; files of an older firmware go."""
    with simulator(shop, "--bootsel", "--bench-strap") as paths:
        run_tool("flash", "--no-self-test")
        run_tool("limits", "set", "--current-ma", "2")
        code, out, _ = ionto(capsys, "flash", "--uf2", str(shop / "image.uf2"), "--json")
        told = json.loads(out)
        assert code == 0 and told["written"] == [] and all(check["ok"] for check in told["selftest"])
        assert json.loads(run_tool("limits", "show", "--json")[0])["settings"]["max_current_ua"] == 2_000
        (shop / "image.uf2").write_bytes(uf2_image.image(64)[:-512])
        code, _, err = ionto(capsys, "flash", "--micropython")
        assert code == 7 and "damaged" in err, err
        assert json.loads(run_tool("status", "--json")[0])["state"] == "IDLE", "it was not touched"
    assert "/lib/ionto/manifest.json" in flash_image.read_files(paths.image)


@pytest.mark.hazard("HAZ-30", "HAZ-25")
def test_a_session_and_a_newer_firmware_are_refused_without_force(bench_with, monkeypatch, capsys):
    bench = bench_with(speed=1)
    bench.start_and_hold(dose_ma_min=20)
    port = ["--port", bench.pico.port]
    for more in ([], ["--dry-run"]):
        code, _, err = ionto(capsys, "flash", *port, *more)
        assert code == 4 and "a session is under way (HOLD)" in err
    assert bench.wait_state("HOLD")
    for module in (flashing, versions):
        monkeypatch.setattr(module, "FIRMWARE_VERSION", "0.0.9")
    assert ionto(capsys, "flash", *port, "--force", "--no-self-test")[0] == 0
    assert bench.wait_state("IDLE", "DONE")
    assert [log["id"] for log in bench.ionto("logs", "list")["device"]] == [1]
    code, _, err = ionto(capsys, "flash", *port)
    assert code == 4 and "newer than 0.0.9" in err
    bench.ionto("maintenance")
    code, _, err = ionto(capsys, "flash", *port)
    assert code == 4 and "newer than 0.0.9" in err
    assert bench.wait_state("IDLE", "DONE"), "refused at the prompt, it went back to what it ran"
    assert os.environ.get("IONTO_PORT") is None
