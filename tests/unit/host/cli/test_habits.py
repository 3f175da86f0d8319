"""Settings file and environment, completion, NO_COLOR, and what Ctrl-C says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_device import FakeDevice, on_pty
from hypothesis import given
from hypothesis import strategies as st

from ionto import protocol, version
from ionto_host import cli, config
from ionto_host.board import micropython_image
from ionto_host.errors import UsageError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings file of the test's own, and no variables."""
    for setting in config.SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)
    monkeypatch.setenv("IONTO_SIMS", str(tmp_path / "sims"))
    path = tmp_path / "nested" / "config.toml"
    monkeypatch.setenv("IONTO_CONFIG", str(path))
    return path


def test_option_before_variable_before_file(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with on_pty(FakeDevice()) as port:
        assert cli.main(["config", "set", "port", port]) == 0
        assert cli.main(["status"]) == 0
        assert "IONTO_PORT" not in os.environ, "it holds for one command"
        monkeypatch.setenv("IONTO_PORT", "/dev/no-such-port")
        assert cli.main(["status"]) == 3
        assert cli.main(["status", "--port", port]) == 0
    capsys.readouterr()
    assert cli.main(["config", "show", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["path"] == str(file)
    assert told["settings"]["port"] == {"value": "/dev/no-such-port", "source": "IONTO_PORT", "variable": "IONTO_PORT"}


def test_lines_of_the_owner_stay(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.parent.mkdir()
    file.write_text('# mine\nport = "a"\npatience = 3\n')
    assert cli.main(["config", "set", "port", 'C:\\"odd" ü']) == 0
    assert file.read_text().startswith("# mine\npatience = 3\n")
    assert config.read() == {"patience": "3", "port": 'C:\\"odd" ü'}
    assert cli.main(["config", "unset", "port"]) == 0
    assert file.read_text() == "# mine\npatience = 3\n"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"])))
def test_any_value_comes_back(value: str) -> None:
    previous = os.environ.get("IONTO_CONFIG")
    target = Path(os.environ.get("TMPDIR", "/tmp")) / f"ionto-config-{os.getpid()}.toml"
    os.environ["IONTO_CONFIG"] = str(target)
    try:
        config.change("logs", value)
        assert config.read() == {"logs": value}
    finally:
        target.unlink(missing_ok=True)
        os.environ["IONTO_CONFIG"] = previous or os.devnull


@pytest.mark.parametrize("text", ["port = ", "colour = 1", "port = true", "port = []", "[port]\na = 1"])
def test_a_wrong_file_is_told_with_its_path(text: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.parent.mkdir()
    file.write_text(text)
    assert cli.main(["devices"]) == 2
    assert str(file) in capsys.readouterr().err
    with pytest.raises(UsageError):
        config.change("colour", "red")


def test_a_file_that_cannot_be_read_is_told(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder, and text that is not UTF-8; a byte order mark of an editor is none of it."""
    file.mkdir(parents=True)
    assert cli.main(["devices"]) == 2 and str(file) in capsys.readouterr().err
    file.rmdir()
    file.write_bytes(b'port = "\xff"')
    assert cli.main(["devices"]) == 2 and "UTF-8" in capsys.readouterr().err
    file.write_bytes(b'\xef\xbb\xbfpatience = "3"')
    assert config.read() == {"patience": "3"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    assert "_IONTO_COMPLETE" in capsys.readouterr().out


def test_the_shell_completes_commands_and_ports() -> None:
    """As the script asks: in the environment of a fresh process."""

    def complete(words: str) -> list[str]:
        asked = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1), "_IONTO_COMPLETE": "bash_complete"}
        done = subprocess.run(
            [sys.executable, "-c", "import sys; from ionto_host.cli import main; sys.exit(main())"],
            env={**os.environ, **asked},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert complete("ionto cal") == ["calibrate"]
    assert complete("ionto sim fault sensor_m") == ["sensor_missing"]


def test_version_says_what_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    told = capsys.readouterr().out
    assert f"MicroPython {micropython_image.VERSION}" in told and f"protocol {version.PROTOCOL_VERSION}" in told


def test_no_colour_and_no_escapes_when_piped() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ionto_host", "doctor"],
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert "\x1b" not in done.stdout + done.stderr and "ok      Python" in done.stdout


@pytest.mark.hazard("HAZ-33")
@pytest.mark.parametrize(
    ("state", "flags", "leak_ua", "words"),
    [
        (protocol.PAUSED, 0, 0, "in PAUSED: the session goes on"),
        (protocol.PAUSED, 0, 900, "WARNING: CURRENT STILL FLOWS although the output is switched off: 0.900 mA"),
        (protocol.HOLD, protocol.FLAG_OUTPUT_ON, 0, "in HOLD"),
    ],
)
def test_ctrl_c_says_what_the_device_does(state: int, flags: int, leak_ua: int, words: str) -> None:
    fake = FakeDevice()
    fake.state, fake.flags, fake.leak_ua, fake.charge_step_uc = state, flags, leak_ua, 0
    with on_pty(fake) as port:
        command = [sys.executable, "-m", "ionto_host", "--port", port, "monitor"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 30
        while protocol.STATUS not in fake.requests and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and words in err


def test_ctrl_c_when_the_device_is_gone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(name: str | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ionto_host.device.client.Device.open", interrupted)
    assert cli.main(["status", "--port", "/dev/no-such-port", "--json"]) == 130
    assert "could not be asked" in json.loads(capsys.readouterr().out)["error"]["action"]
