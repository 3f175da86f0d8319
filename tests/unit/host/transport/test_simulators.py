"""Finding and configuring virtual Picos; running one is tested end to end elsewhere."""

from __future__ import annotations

import json
import os
import pty
import select
import socket
from pathlib import Path

import pytest

from ionto_host import cli
from ionto_host.cli import demo
from ionto_host.errors import AmbiguousDeviceError, NoDeviceError, UsageError
from ionto_host.transport import ports, simulators

DEAD_PID = 2**22 + 1


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the virtual Picos, empty."""
    monkeypatch.setenv("IONTO_SIMS", str(tmp_path))
    monkeypatch.delenv("IONTO_PORT", raising=False)
    return tmp_path


def register(folder: Path, pid: int, serial_number: str = "e6") -> Path:
    """Write the entry of a virtual Pico of process `pid`."""
    path = folder / "running" / f"{serial_number}.json"
    path.parent.mkdir(exist_ok=True)
    (folder / f"port-{serial_number}").touch()
    entry = simulators.Running(pid, str(folder / f"port-{serial_number}"), str(folder / serial_number), serial_number)
    path.write_text(json.dumps(vars(entry)))
    return path


def test_those_that_run_are_found(folder: Path) -> None:
    """An entry whose process is gone is forgotten; a broken one is passed over."""
    assert simulators.running() == []
    register(folder, os.getpid())
    stale = register(folder, DEAD_PID, "e7")
    (folder / "running" / "broken.json").write_text("{")
    assert [entry.serial_number for entry in simulators.running()] == ["e6"]
    assert not stale.exists()
    assert [info.port for info in ports.discover() if info.kind == "simulator"] == [str(folder / "port-e6")]
    (folder / "port-e6").unlink()  # its cable is out
    assert not [info for info in ports.discover() if info.kind == "simulator"]


def test_choosing_one_to_control(folder: Path) -> None:
    """None, one that does not answer, several."""
    with pytest.raises(NoDeviceError, match="no virtual Pico"), simulators.connect(None):
        pass
    register(folder, os.getpid())
    with pytest.raises(NoDeviceError, match="no simulator runs"), simulators.connect(None):
        pass
    register(folder, os.getpid(), "e7")
    with pytest.raises(AmbiguousDeviceError), simulators.connect(None):
        pass


def test_loads() -> None:
    """Ohms, words and JSON."""
    assert simulators.load_spec("4700") == 4700.0
    assert simulators.load_spec("skin") == "skin"
    assert simulators.load_spec('{"kind": "sweep"}') == {"kind": "sweep"}
    with pytest.raises(UsageError):
        simulators.load_spec("{nonsense")


def test_wrong_settings_are_refused_before_it_starts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Usage errors that name the value and what is allowed."""
    for speed in ("fast", "-1", "0", "nan", "inf"):
        assert cli.main(["sim", "--speed", speed]) == 2
        assert "speed must be 'max' or a factor" in capsys.readouterr().err
    for load in ("banana", "-5", "nan", "{", "{}", '{"kind": "resistor"}'):
        assert cli.main(["sim", "--load", load]) == 2
        assert "--help" in capsys.readouterr().err
    assert cli.main(["sim", "load", "banana"]) == 2
    assert cli.main(["sim", "load", '{"kind": "table", "points": [[0, "a"]]}']) == 2
    assert "points[0] of a table load, resistance" in capsys.readouterr().err


def test_the_port_of_a_simulator_that_died(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Behind its link may be somebody's terminal: nothing is written there."""
    master, slave = pty.openpty()
    for name in ("flash.img", "lock"):
        (tmp_path / name).touch()
    (tmp_path / "port").symlink_to(os.ttyname(slave))
    for _ in range(2):  # the control socket is gone, then there and nobody listens
        assert cli.main(["status", "--port", str(tmp_path / "port")]) == 3
        assert "that simulator has ended" in capsys.readouterr().err
        left = socket.socket(socket.AF_UNIX)
        if not (tmp_path / "control.sock").exists():
            left.bind(str(tmp_path / "control.sock"))
        left.close()
    assert select.select([master], [], [], 0)[0] == []
    with socket.socket(socket.AF_UNIX) as alive:
        (tmp_path / "control.sock").unlink()
        alive.bind(str(tmp_path / "control.sock"))
        alive.listen()
        assert not simulators.has_ended(tmp_path)
    os.close(master)
    os.close(slave)


def test_erase_makes_the_flash_blank(folder: Path) -> None:
    """The image goes, and only with --erase."""
    options = {"load": "skin", "speed": "max", "variant": "A", "bench_strap": True, "maintenance": False}
    image = folder / "default" / "flash.img"
    image.parent.mkdir()
    image.write_bytes(b"x")
    assert simulators.configuration(None, erase=False, **options).bench_strap
    assert image.exists()
    simulators.configuration(None, erase=True, **options)
    assert not image.exists()


def test_fault_switches_are_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name the table is shown."""
    assert cli.main(["sim", "fault", "--json"]) == 0
    assert "electrode_lift" in json.loads(capsys.readouterr().out)


GOOD = {
    "outcome": "complete",
    "dose_prescribed_ma_min": 40.0,
    "dose_metered_ma_min": 40.1,
    "log_verified": True,
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"outcome": "fault"}, "outcome is fault"),
        ({"dose_metered_ma_min": 40.21}, "more than 0.5 %"),
        ({"dose_metered_ma_min": 39.79}, "more than 0.5 %"),
        ({"dose_prescribed_ma_min": None}, "more than 0.5 %"),
        ({"log_verified": False}, "does not verify"),
    ],
)
def test_the_demonstration_judges_itself(change: dict[str, object], words: str) -> None:
    """Each way of failing is noticed; a good session is not."""
    assert demo.judge(GOOD) == []
    assert any(words in failure for failure in demo.judge({**GOOD, **change}))


def test_an_unknown_fault_is_a_usage_error_that_names_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also when no virtual Pico runs."""
    assert cli.main(["sim", "fault", "nosuch"]) == 2
    assert "electrode_lift" in capsys.readouterr().err
    assert cli.main(["sim", "reset"]) == 3
