"""What spares a person a second look: short options, what was meant, completion, tables that fit, where it stands."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from commands import commands
from fake_device import make_log
from shell import BENCH, Shell, run

from ionto_host.cli import lazy
from ionto_host.cli.common import table
from ionto_host.cli.root import root
from ionto_host.dose import file as dosefile
from ionto_host.errors import DoseFileError, NoDeviceError
from ionto_host.logs import store as logstore
from ionto_host.transport import simulators


def test_short_options_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    for words, command in commands(root):
        names = {name for parameter in command.params for name in parameter.opts}
        assert {"-p", "-v", "--port", "--verbose"} <= names, words
        assert run(capsys, *words.split(), "-h")[0] == 0, words
    assert run(capsys, "-h")[0] == 0 and run(capsys, "logs", "-h")[0] == 0


def test_the_short_port_and_verbose(ionto: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "status", "-p", ionto.port)[0] == 0
    code, _, err = run(capsys, "status", "-vp", "/dev/no-such-port")
    assert code == 3 and "Traceback" in err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("stop", "ionto abort"),
        ("log", "ionto logs show"),
        ("statsu", "ionto status"),
        ("logs verfy", "ionto logs verify"),
        ("dose psh", "ionto dose push"),
    ],
)
def test_what_was_meant_is_named(typed: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, *typed.split())
    assert code == 2 and f"Did you mean `{meant}`" in err, err


def test_what_is_named_is_there() -> None:
    every = {words for words, _ in commands(root)} | {"sim"}
    assert set(lazy.ELSEWHERE.values()) <= every and not set(lazy.ELSEWHERE) & set(lazy.SUMMARIES)


def completed(*words: str) -> list[str]:
    """Return what the shell is offered for the last of `words`."""
    found = ShellComplete(root, {}, "ionto", "_IONTO_COMPLETE").get_completions([*words[:-1]], words[-1])
    return [item.value for item in found]


def test_completion_of_presets_logs_doses_and_ports(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "plantar-fasciitis/dexamethasone" in completed("dose", "new", "x.toml", "--preset", "plantar")
    assert completed("presets", "show", "plantar") and completed("course", "new", "P-1", "--preset", "plantar")
    for board in ("aa01", "ab02"):
        folder = logstore.board_folder(board, store)
        folder.mkdir(parents=True)
        logstore.path_of(folder, 1).write_bytes(make_log())
    logstore.path_of(folder, 12).write_bytes(make_log())
    assert completed("logs", "show", "a") == ["aa01/1", "ab02/1", "ab02/12"]
    assert completed("logs", "verify", "1") == ["12"], "an ID that two boards have is no name"
    assert completed("report", "la") == ["last"]
    (tmp_path / "heel.toml").touch()
    (tmp_path / "heel.txt").touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.toml").touch()
    for command in ("check", "push"):
        assert completed("dose", command, "he") == ["heel.toml"]
        assert completed("dose", command, "s") == ["sub/"] and completed("dose", command, "sub/") == ["sub/a.toml"]


@pytest.mark.parametrize("columns", [80, 60])
def test_tables_fit_and_break_no_word(columns: int) -> None:
    words = "0.250 mA*min are missing because the contact was too poor for the time that the dose allows"
    rows = [["a", words, "ok"], ["bb", "x", words]]
    text = table(rows, ["", "what", "why"], columns)
    assert all(len(line) <= columns for line in text.splitlines())
    flat = re.sub(r"\s+", " ", text)
    assert all(word in flat.split() for word in words.split())
    path = "/a/path/that/is/longer/than/the/terminal/and/still/can/be/copied/" + "x" * 40
    assert path in table([["log", path]], ["", "where"], columns)


@pytest.mark.parametrize(
    ("pattern", "line", "field"),
    [
        (r"^current_ma = .*", "current_ma = 1,5", "current_ma"),
        (r"^drug = .*", "drug = saline", "drug"),
        (r"^drug = .*", 'drug = "a"\ndrug = "b"', "drug"),
        (r"^name = .*", f'name = "{"x" * 5000}"', "name"),
        (r"^name = .*", "", "name"),
        (r"(?s)^.*", "", "schema"),
    ],
)
def test_every_error_of_a_dose_names_the_field(pattern: str, line: str, field: str) -> None:
    """Decimal comma, a text without quotes, a field twice, a long one, a missing one, an empty file."""
    text = re.sub(pattern, line, Path(BENCH).read_text(encoding="utf-8"), count=1, flags=re.MULTILINE)
    with pytest.raises(DoseFileError) as found:
        dosefile.loads(text, Path("d.toml"))
    assert field in found.value.message and found.value.details["field"] == field
    assert len(found.value.message) < 400


def test_a_simulator_is_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--state-dir before or after the command's name; and the meter of the simulator at the port, of no other."""
    other = simulators.Running(1, "/dev/other", str(tmp_path / "other"), "e6")
    monkeypatch.setattr(simulators, "running", lambda: [other])
    for words in (("sim", "--state-dir", "mine", "load", "100"), ("sim", "load", "100", "--state-dir", "mine")):
        code, _, err = run(capsys, *words)
        assert code == 3 and "mine" in err and "other" not in err
    assert simulators.folder_of("/dev/other") == tmp_path / "other"
    with pytest.raises(NoDeviceError, match="/dev/mine"):
        simulators.folder_of("/dev/mine")
    assert isinstance(root, click.Group)
