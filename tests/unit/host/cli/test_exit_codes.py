"""The exit code of every command says what its output says: one table in `errors`, tried on every command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import commands
from fake_device import make_log
from shell import BENCH, run

from ionto_host.cli.root import root
from ionto_host.errors import EXIT_CODE_HELP, ExitCode
from ionto_host.logs import store as logstore

ROOT = Path(__file__).parents[4]
LOG = str(ROOT / "tests" / "golden" / "format_3.ilog")
NOWHERE = ("--port", "/dev/no-such-port")
# What each command answers when no board is at the port that it is given, with the arguments that it needs.
WITHOUT_A_BOARD: dict[str, tuple[tuple[str, ...], int]] = {
    "abort": ((), 3),
    "bench check": (("no-such-bench.toml",), 2),
    "bench compare": (("no-such.json", "no-such.json"), 2),
    "bench report": (("no-such.json",), 2),
    "bench run": (("no-such-bench.toml",), 2),
    "bench wiring": (("no-such-bench.toml",), 2),
    "bootloader": ((), 3),
    "calibrate": ((), 3),
    "clear": ((), 3),
    "clock set": ((), 3),
    "comfort": (("tingling",), 3),
    "completion": (("bash",), 0),
    "config set": (("no-such-setting", "1"), 2),
    "config show": ((), 0),
    "config unset": (("no-such-setting",), 2),
    "course delete": (("P-9", "--yes"), 2),
    "course export": (("P-9",), 2),
    "course log": (("P-9", "--reaction", "none"), 2),
    "course new": (("P-9", "--preset", "no-such-preset"), 2),
    "course plan": (("P-9",), 2),
    "course report": (("P-9",), 2),
    "course restore": ((), 4),
    "course status": (("P-9",), 2),
    "devices": ((), 0),
    "doctor": ((), 3),
    "dose check": (("no-such.toml",), 2),
    "dose new": (("new.toml", "--preset", "no-such-preset", "--area", "10"), 2),
    "dose push": ((BENCH,), 3),
    "dose show": ((), 3),
    "firmware fetch": (("--no-such-option",), 2),
    "firmware show": (("--image", "no-such.uf2"), 2),
    "flash": ((), 3),
    "info": ((), 3),
    "limits set": ((), 2),
    "limits show": ((), 3),
    "logs delete": (("1", "--yes"), 3),
    "logs diff": (("99",), 3),
    "logs export": (("99",), 3),
    "logs import": (("no-such.ilog",), 2),
    "logs list": ((), 0),
    "logs plot": (("99",), 3),
    "logs pull": ((), 3),
    "logs show": (("99",), 3),
    "logs verify": (("99",), 3),
    "maintenance": ((), 3),
    "monitor": ((), 3),
    "pause": ((), 3),
    "presets check": ((), 2),
    "presets list": ((), 0),
    "presets show": (("no-such-preset",), 2),
    "repl": ((), 2),
    "report": (("99",), 3),
    "reset": ((), 3),
    "resume": ((), 3),
    "selftest": ((), 3),
    "serve": (("--tcp-port", "0"), 3),
    "start": ((), 3),
    "status": ((), 3),
    "sim cable": (("in", "--state-dir", "no-such-folder"), 3),
    "sim fault": (("no-such-fault",), 2),
    "sim load": (("100", "--state-dir", "no-such-folder"), 3),
    "sim meter": (("--state-dir", "no-such-folder"), 3),
    "sim press": (("start", "--state-dir", "no-such-folder"), 3),
    "sim reset": (("--state-dir", "no-such-folder"), 3),
    "presets screening": (("no-such-preset",), 2),
}


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No board, no simulator, no log, no course, no settings."""
    for variable in ("IONTO_LOGS", "IONTO_SIMS", "IONTO_COURSES", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("IONTO_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.delenv("IONTO_PORT", raising=False)
    monkeypatch.chdir(tmp_path)


def test_every_command_is_in_the_table() -> None:
    assert {words for words, _ in commands(root)} == set(WITHOUT_A_BOARD)


@pytest.mark.parametrize("words", sorted(WITHOUT_A_BOARD))
def test_without_a_board_and_with_names_that_are_not_there(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In words and in JSON alike; what fails says so on stderr, or in its JSON with the code that it ends with."""
    arguments, wanted = WITHOUT_A_BOARD[words]
    code, out, err = run(capsys, *words.split(), *arguments, *NOWHERE)
    assert code == wanted, (out, err)
    assert code == 0 or "Error" in err or words == "doctor"
    code, out, err = run(capsys, *words.split(), *arguments, *NOWHERE, "--json")
    assert code == wanted, (out, err)
    if code and words != "doctor":
        assert json.loads(out)["error"]["exit_code"] == wanted


@pytest.mark.parametrize("words", sorted(WITHOUT_A_BOARD))
def test_help_and_a_mistake(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *words.split(), "--help")[0] == 0
    assert run(capsys, *words.split(), "--no-such-option")[0] == 2
    assert run(capsys, *words.split()[:-1], "no-such-command")[0] == 2


@pytest.mark.parametrize(
    ("port", "wanted"),
    [
        ("/dev/no-such-port", 3),
        ("e661a4d4178e3c2a", 3),
        ("socket://127.0.0.1:1", 3),
        ("rfc2217://127.0.0.1:1", 3),
        ("foo://x", 2),
        ("rfc2217://x", 2),
    ],
)
def test_where_no_board_is(port: str, wanted: int, capsys: pytest.CaptureFixture[str]) -> None:
    """One code for a port, a serial number and a URL where nobody answers; the cable is not to blame for a URL."""
    code, _, err = run(capsys, "status", "--port", port)
    assert code == wanted and "cable" not in err, err


def test_the_guide_prints_the_table() -> None:
    guide = (ROOT / "docs" / "user_guide.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", guide, re.MULTILINE)
    assert {ExitCode(int(code)): text for code, text in rows} == EXIT_CODE_HELP


@pytest.mark.parametrize(("changes", "wanted"), [({}, 0), ({"charge_uc": 59_000}, 5)])
def test_a_difference_is_an_exit_code(
    changes: dict[str, int], wanted: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "x.ilog"
    log.write_bytes(make_log(**changes))
    code, out, _ = run(capsys, "logs", "diff", log)
    assert code == wanted and ("DIFFERS" in out) == bool(wanted)


def test_what_was_not_verified_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """No log at all is not "ok"; and the logs of other boards, left out for a port of every day, are named."""
    assert run(capsys, "logs", "verify")[0] == 2
    for board in ("aa01", "ab02"):
        folder = logstore.board_folder(board)
        folder.mkdir(parents=True)
        logstore.path_of(folder, 1).write_bytes(make_log())
    monkeypatch.setenv("IONTO_PORT", "aa01")
    _, out, _ = run(capsys, "logs", "verify")
    assert "ab02" not in out and "1 logs, which nobody looked at" in out
    assert json.loads(run(capsys, "logs", "verify", "--json")[1])["left_out"] == 1


def ionto(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run `ionto` in a process of its own."""
    command = [sys.executable, "-m", "ionto_host", *arguments]
    return subprocess.run(command, text=True, stderr=subprocess.PIPE, check=False, **more)


@pytest.mark.parametrize("arguments", [("doctor", *NOWHERE), ("presets", "list"), ("status", *NOWHERE)])
def test_a_reader_that_leaves_changes_no_code(arguments: tuple[str, ...]) -> None:
    """As `head -1` does: the command ends as it would have ended."""
    whole = ionto(*arguments, stdout=subprocess.DEVNULL)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        cut = ionto(*arguments, stdout=nobody)
    assert cut.returncode == whole.returncode
    assert "Traceback" not in cut.stderr and "Exception" not in cut.stderr


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_full_disk_is_told_once(more: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = ionto("logs", "show", LOG, *more, stdout=full)
    assert done.returncode == 6 and done.stderr.count("No space left") == 1
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


def test_a_name_that_the_terminal_cannot_show_is_no_defect(tmp_path: Path) -> None:
    dose = tmp_path / "snow.toml"
    dose.write_text(re.sub(r'name = ".*"', 'name = "\u2603 \U0001f600"', Path(BENCH).read_text()), encoding="utf-8")
    for more in ((), ("--json",)):
        done = ionto(
            "dose", "check", str(dose), *more, stdout=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": "cp1252"}
        )
        assert done.returncode == 0 and "defect" not in done.stderr, done.stderr
        if more:
            assert "\u2603 \U0001f600" in json.dumps(json.loads(done.stdout), ensure_ascii=False)


def test_the_version_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("--json", "--version"), ("--version", "--json")):
        code, out, _ = run(capsys, *arguments)
        assert code == 0 and {"ionto", "protocol", "log_format", "micropython"} <= json.loads(out).keys()


def test_serve_says_served_only_of_a_board_that_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "serve", "--listen", "127.0.0.1:0", *NOWHERE)
    assert code == 3 and "served" not in out and "/dev/no-such-port" in err
