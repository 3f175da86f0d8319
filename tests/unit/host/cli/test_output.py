"""What every output option of every command does with the path that it is given."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from bench_runs import run_of
from commands import commands

from ionto_host import cli, outfile
from ionto_host.bench import record
from ionto_host.cli.output import Output
from ionto_host.cli.root import root
from ionto_host.errors import RefusedError

ROOT = Path(__file__).parents[4]
LOG = str(ROOT / "tests" / "golden" / "format_3.ilog")
DOSE_OPTIONS = ("--current", "1", "--dose", "10", "--polarity", "+", "--area", "10")
# Command and output, with what the command needs besides.
OUTPUTS: dict[tuple[str, str], tuple[str, ...]] = {
    ("logs show", "--csv"): (LOG,),
    ("logs show", "--png"): (LOG,),
    ("logs plot", "--output"): (LOG,),
    ("logs export", "--output"): (LOG, "--format", "json"),
    ("report", "--output"): (LOG,),
    ("course plan", "--ics"): ("P-1",),
    ("course report", "--output"): ("P-1",),
    ("course export", "--output"): ("P-1",),
    ("bench report", "--output"): ("RECORD",),
    ("dose new", "file"): DOSE_OPTIONS,
}
EACH = pytest.mark.parametrize(("command", "option"), list(OUTPUTS))


def named(parameter: click.Parameter) -> str:
    """Return how a command line names `parameter`."""
    return parameter.opts[0]


def test_every_output_of_every_command_is_tried_here() -> None:
    """And no other option takes a path of a file that need not exist, unless it is one to read."""
    found: set[tuple[str, str]] = set()
    others: set[tuple[str, str]] = set()
    for words, command in commands(root):
        for parameter in command.params:
            kind = parameter.type
            if isinstance(kind, Output):
                found.add((words, named(parameter)))
            elif isinstance(kind, click.Path) and kind.file_okay and not kind.exists:
                others.add((words, named(parameter)))
    assert found == set(OUTPUTS)
    assert others <= {("flash", "--drive")}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Path:
    """A folder to be in, with a course P-1 and a bench record among this test's own data."""
    for variable, name in (("IONTO_LOGS", "logs"), ("XDG_DATA_HOME", "data"), ("IONTO_COURSES", "courses")):
        monkeypatch.setenv(variable, str(tmp_path / name))
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsysbinary, "course", "new", "P-1", "--preset", "plantar-fasciitis")
    assert code == 0, err
    return tmp_path


def run(capture: pytest.CaptureFixture[bytes], *arguments: object) -> tuple[int, bytes, str]:
    """Run `ionto`; return exit code, stdout and stderr."""
    code = cli.main([str(item) for item in arguments])
    out, err = capture.readouterr()
    return code, out, err.decode()


class Writes:
    """One output of one command."""

    def __init__(self, command: str, option: str, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
        self.words = command.split()
        self.option = () if option == "file" else (option,)
        self.rest = tuple(str(bench_record()) if item == "RECORD" else item for item in OUTPUTS[command, option])
        self.capsys = capsysbinary

    def __call__(self, target: object, *more: str) -> tuple[int, bytes, str]:
        """Run the command with `target` as its output."""
        return run(self.capsys, *self.words, *self.option, target, *self.rest, *more)


def bench_record() -> Path:
    """Return the record of a bench run, written here."""
    path = Path("record.json")
    if not path.exists():
        record.write(run_of(), path)
    return path


@pytest.fixture
def writes(here: Path, command: str, option: str, capsysbinary: pytest.CaptureFixture[bytes]) -> Writes:
    """The command with its output to come."""
    return Writes(command, option, capsysbinary)


def parts(folder: Path) -> list[Path]:
    """Return what a writer left behind."""
    return [path for path in folder.rglob("*") if path.name.endswith(".part")]


@EACH
def test_a_dash_is_standard_output(writes: Writes, here: Path) -> None:
    """The content and nothing else is there, and no file of that name; JSON beside it is refused."""
    code, _, err = writes("file.out")
    assert code == 0, err
    code, out, err = writes("-")
    assert code == 0, err
    assert out[:4] == (here / "file.out").read_bytes()[:4] and not (here / "-").exists()
    assert writes("-", "--json")[0] == 2


@EACH
def test_a_link_is_followed_and_a_mode_kept(writes: Writes, here: Path) -> None:
    target = here / "sub" / "file.out"
    target.parent.mkdir()
    target.touch(0o600)
    link = here / "link.out"
    link.symlink_to(target)
    more = ("--force",) if writes.words == ["dose", "new"] else ()
    code, _, err = writes("link.out", *more)
    assert code == 0, err
    assert link.is_symlink() and target.stat().st_size and stat.S_IMODE(target.stat().st_mode) == 0o600
    assert writes("link.out", *more)[0] == 0, "its own kind is written again"
    assert not parts(here)


@EACH
def test_a_pipe_is_written_through(writes: Writes, here: Path) -> None:
    os.mkfifo(here / "pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((here / "pipe").read_bytes()), daemon=True)
    reader.start()
    code, _, err = writes("pipe")
    reader.join(60)
    assert code == 0, err
    assert got and got[0] and stat.S_ISFIFO((here / "pipe").stat().st_mode)


@EACH
def test_a_device_stays_a_device(writes: Writes) -> None:
    code, _, err = writes("/dev/null")
    assert code == 0, err
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@EACH
def test_another_kind_of_file_is_kept(writes: Writes, here: Path) -> None:
    """Against `-o dose.toml` in the place of a dose file."""
    shutil.copy(ROOT / "examples" / "bench_resistor.toml", here / "dose.toml")
    before = (here / "dose.toml").read_bytes()
    code, _, err = writes("dose.toml")
    assert code in (2, 4) and "--force" in err
    assert (here / "dose.toml").read_bytes() == before
    assert writes("dose.toml", "--force")[0] == 0
    assert (here / "dose.toml").read_bytes() != before


@EACH
def test_a_folder_that_takes_nothing(writes: Writes, here: Path) -> None:
    """/sys takes no file of anybody, the administrator included."""
    code, _, err = writes("/sys/file.out")
    assert code == 6 and "/sys/file.out" in err
    assert writes("no/such/folder")[0] == 6
    assert writes(here)[0] == 2, "a folder is no file"


@contextmanager
def small_disk(size_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size_bytes`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "old.csv"
    target.write_bytes(b"time_s,old")
    with small_disk(100), pytest.raises(OSError):
        outfile.write(target, b"time_s," + bytes(1_000))
    assert target.read_bytes() == b"time_s,old" and list(tmp_path.iterdir()) == [target]


def test_a_file_that_would_change_its_owner_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    target = tmp_path / "theirs.csv"
    target.write_bytes(b"time_s")
    monkeypatch.setattr(outfile, "_owner", lambda _: (1, 1))
    monkeypatch.setattr(os, "chown", refused)
    with pytest.raises(RefusedError, match="another user"):
        outfile.write(target, b"time_s,new")
    assert target.read_bytes() == b"time_s" and list(tmp_path.iterdir()) == [target]


def test_two_outputs_do_not_share_standard_output(here: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    code, _, err = run(capsysbinary, "logs", "show", LOG, "--csv", "-", "--png", "/dev/stdout")
    assert code == 2 and "both want standard output" in err


def test_a_file_named_dash_is_written_as_such(here: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(capsysbinary, "report", LOG, "-o", "./-")[0] == 0
    assert (here / "-").read_bytes().startswith(b"<!DOCTYPE")
