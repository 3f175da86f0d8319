"""Commands about a bench: its wiring, its check, the acceptance suite, its reports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ionto_host.bench import SIMULATED_TIERS, VARIABLE
from ionto_host.cli.common import Answer, IontoGroup, can_ask, examples, note, settings, table
from ionto_host.cli.output import force, output, put
from ionto_host.errors import BenchFileError, ExitCode, MissingPartError, UsageError
from ionto_host.outfile import shown
from ionto_host.patience import patient

if TYPE_CHECKING:
    from ionto_host.bench.benchfile import BenchFile
    from ionto_host.bench.history import Change
    from ionto_host.bench.rig import Person, Rig

DEFAULT = Path("bench.toml")
RECORD, REPORT, JUNIT, LOGS = "record.json", "report.html", "junit.xml", "logs"
_SUITE = "ionto_host.bench.acceptance"
_WRONG, _NOTHING = 4, 5  # of pytest: wrong arguments; no test was selected
_TELL_AFTER_S, _SAFE_WITHIN_S, _GIVE_UP = 5.0, 120.0, 3  # after Ctrl-C: s, s, times that it was pressed
_FILE = click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group(cls=IontoGroup)
def bench() -> None:
    """A bench: one board, an independent meter and a load, and the suite that verifies the board on it.

    FILE is the bench file, by default IONTO_BENCH or bench.toml; examples/bench.toml is one to copy. Without a bench
    file nothing touches hardware.
    """


def _path(file: Path | None) -> Path:
    if file is not None:
        return file
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    if DEFAULT.is_file():
        return DEFAULT
    raise BenchFileError(
        f"there is no {DEFAULT} here, and {VARIABLE} is not set",
        "Copy examples/bench.toml to bench.toml and describe your bench in it; without hardware: "
        "`ionto bench run --device virtual`.",
    )


def _read(file: Path | None) -> BenchFile:
    from ionto_host.bench import benchfile

    return benchfile.read(_path(file))


@bench.command("wiring")
@_FILE
def wiring_command(file: Path | None) -> Answer:
    """Print every connection of the bench, with the pins of the firmware's own table."""
    from ionto_host.bench.wiring import connections

    rows = connections(_read(file))
    lines = [f"{number:>2}  {row.words()}" for number, row in enumerate(rows, 1)]
    lines += ["", "Nobody is connected to a bench. Wire it with the power off, then: ionto bench check"]
    return Answer({"connections": rows}, "\n".join(lines))


@bench.command("check")
@_FILE
def check_command(file: Path | None) -> Answer:
    """Check the wiring electrically: straps, output off, meter in series and the right way round, the load.

    A session of some seconds with a fifth of the highest current. The exit code is 0 without a fail.
    """
    from ionto_host.bench import wiring
    from ionto_host.cli.doctorcmd import show
    from ionto_host.doctor.findings import FAIL

    with _rig(_read(file)) as rig:
        rig.zero_meter()
        found = wiring.check(rig)
        for item in [] if settings().json else found:
            show(item)
        rig.make_safe()
    failed = [item for item in found if item.level == FAIL]
    text = f"\n{len(found)} looked at: {len(failed)} fail."
    return Answer({"passed": not failed, "findings": found}, text, failed[0].exit_code if failed else ExitCode.OK)


@contextmanager
def _rig(described: BenchFile) -> Iterator[Rig]:
    from ionto_host.bench import rig

    port = settings().port
    _ask_after_interruption(described)
    with rig.build(described, note, _person() if can_ask() else None, port) as made:
        yield made


def _ask_after_interruption(described: BenchFile | None) -> None:
    """Let an interruption say what the bench's board does; a simulated one of its own ends with the command."""
    if described is None or (described.simulated and not described.sim.state_dir):
        settings().left = "The simulated board ended with the run."
        return
    settings().opened = True
    settings().port = settings().port or described.port
    if settings().port in SIMULATED_TIERS:
        from ionto_sim.config import Paths

        settings().port = str(Paths(described.sim.state_dir).port)


def _person() -> Person:
    from ionto_host.bench.rig import Person

    def ask(text: str) -> float:
        return float(click.prompt(text, type=float, err=True))

    def act(text: str) -> None:
        click.prompt(f"{text}, then press Enter", default="", show_default=False, err=True)

    return Person(ask, act)


@bench.command("run")
@_FILE
@click.option("--device", type=click.Choice(SIMULATED_TIERS), help="Run on a simulated bench instead of FILE's.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Folder of record, report and logs.")
@click.option(
    "--history", type=click.Path(file_okay=False, path_type=Path), help="Folder of the boards' earlier records."
)
@click.option("--calibrate", is_flag=True, help="Calibrate the board against the meter first.")
@click.option("--subset", is_flag=True, help="Only the tests that are short enough for an emulated board.")
@click.option("--only", metavar="WORDS", help="Only tests with these words in their names, as pytest's -k.")
def run_command(
    file: Path | None,
    device: str | None,
    output: Path | None,
    history: Path | None,
    calibrate: bool,
    subset: bool,
    only: str | None,
) -> Answer:
    """Run the acceptance suite on the bench, and write the verification report of its board.

    Some minutes on a real board, less on a virtual one. Tests for which the bench lacks something are skipped and
    listed; a failed safety check stops the rest. Exit code 0: passed, 5: not.
    """
    described = None if device and file is None else _read(file)
    if find_spec("pytest") is None:
        raise MissingPartError("the acceptance suite needs pytest", "Install it: pip install 'iontopico[bench]'.")
    folder = output or _new_folder()
    folder.mkdir(parents=True, exist_ok=True)
    record_path = folder / RECORD
    record_path.unlink(missing_ok=True)
    arguments = ["--bench-record", str(record_path), "--bench-logs", str(folder / LOGS)]
    arguments += ["--junitxml", str(folder / JUNIT)]
    arguments += ["--bench", str(described.path)] if described else []
    arguments += ["--device", device] if device else []
    arguments += ["--bench-port", str(settings().port)] if settings().port else []
    arguments += ["--bench-calibrate"] if calibrate else []
    arguments += ["-m", "emulated_subset"] if subset else []
    arguments += ["-k", only] if only else []
    _ask_after_interruption(None if device else described)
    code = _pytest(arguments)
    if code == _NOTHING and only:
        raise UsageError(f"--only {only}: no test of the suite has these words in its name")
    if code == _WRONG and only:
        raise UsageError(f"--only {only}: pytest does not understand these words", "Above it says where.")
    if not record_path.is_file():
        raise MissingPartError("the suite did not come to a record", "Read above what pytest says.", code=code)
    return _conclude(record_path, folder, history, code)


def _new_folder() -> Path:
    from ionto_host.bench import history, record

    return history.folder() / f"run-{record.stamp(time.time())}"


def _pytest(arguments: list[str]) -> int:
    """Run the suite in a process of its own, on stderr, without the settings of whatever project is here."""
    from ionto_host.bench import acceptance

    place = Path(str(acceptance.__file__)).parent
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(place), "--noconftest"]
    command += ["-p", "no:cacheprovider", "-v", "-rs", "--tb=short", "--no-header", *arguments, "--pyargs", _SUITE]
    child = subprocess.Popen(command, stdout=sys.stderr.fileno())

    def end(*_: object) -> None:
        child.send_signal(signal.SIGINT)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        return _wait(child)
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait(child: subprocess.Popen[bytes]) -> int:
    """Return how pytest ends. Ctrl-C reaches pytest as well, and is passed on once it has made the board safe."""
    try:
        return child.wait()
    except KeyboardInterrupt:
        click.echo("\nThe board is being made safe. Two more Ctrl-C leave it as it is.", err=True)
        _let_end(child)
        raise


def _let_end(child: subprocess.Popen[bytes]) -> None:
    """Wait until pytest has ended, telling it once more if it seems not to know; kill it when it does not."""
    end, pressed, told = time.monotonic() + patient(_SAFE_WITHIN_S), 1, False
    while pressed < _GIVE_UP and time.monotonic() < end:
        try:
            child.wait(_TELL_AFTER_S)
            return
        except KeyboardInterrupt:
            pressed += 1
        except subprocess.TimeoutExpired:
            if not told:
                child.send_signal(signal.SIGINT)
            told = True
    child.kill()
    child.wait()


def _conclude(record_path: Path, folder: Path, place: Path | None, code: int) -> Answer:
    from ionto_host.bench import history, record, report

    run = record.read(record_path)
    kept = place or history.folder()
    before = history.earlier(run, kept)
    history.keep(record_path, kept)
    report.write(run, record_path, folder / REPORT, before)
    outcomes = [result["outcome"] for result in run["results"]]
    counts = {name: outcomes.count(name) for name in ("passed", "failed", "skipped")}
    passed = run["passed"] and code == 0
    data = {"passed": passed, "stopped": run["stopped"], "tests": counts}
    data |= {"record": record_path, "report": folder / REPORT, "logs": folder / LOGS, "sha256": run["sha256"]}
    data["drift"] = history.drift(run, before)
    verdict = "PASSED" if passed else "NOT PASSED"
    text = f"{verdict}: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} not run"
    if run["stopped"]:
        text += f"\n{run['stopped']}"
    text += f"\nReport: {folder / REPORT}\nRecord: {record_path}"
    return Answer(data, text, ExitCode.OK if passed else ExitCode.FAULT)


_RECORD = click.Path(exists=True, dir_okay=False, path_type=Path)


@bench.command("report")
@click.argument("record_path", metavar="RECORD", type=_RECORD)
@output("--output", "-o", "wanted", help="Default: beside the record.")
@force
@click.option(
    "--history", type=click.Path(file_okay=False, path_type=Path), help="Folder of the boards' earlier records."
)
def report_command(record_path: Path, wanted: Path | None, history: Path | None) -> Answer:
    """Write the verification report of a record again, after checking the record's SHA-256."""
    from ionto_host.bench import history as records
    from ionto_host.bench import record, report

    run = record.read(record_path)
    target = wanted or record_path.with_suffix(".html")
    put(target, report.page(run, record_path.name, records.earlier(run, history or records.folder())))
    return Answer({"report": target, "sha256": run["sha256"], "passed": run["passed"]}, f"Report: {shown(target)}")


@bench.command("compare")
@click.argument("before", type=_RECORD)
@click.argument("after", type=_RECORD)
@click.option("--all", "everything", is_flag=True, help="Every value, not only those that moved most.")
def compare_command(before: Path, after: Path, everything: bool) -> Answer:
    """Compare two runs: of one board over time, of two boards, or of two firmwares."""
    from ionto_host.bench import history, record

    found = history.compare(record.read(before), record.read(after))
    lines = [f"{name}: {a}  ->  {b}" for name, a, b in found.different]
    lines += [f"{test}: {a} -> {b}" for test, a, b in found.outcomes]
    moved = found.changes if everything else sorted(found.changes, key=_moved, reverse=True)[:12]
    if moved:
        lines += ["", table([_cells(change) for change in moved], ["quantity", "at", "before", "after", "change", ""])]
    if not everything and len(found.changes) > len(moved):
        lines.append(f"and {len(found.changes) - len(moved)} more: --all")
    for words, names in (("only before", found.only_before), ("only after", found.only_after)):
        lines += [f"{words}: {name}" for name in names]
    return Answer(found, "\n".join(lines).strip() or "Nothing that both measured.")


def _moved(change: Change) -> float:
    return abs(change.change) / max(abs(change.before), abs(change.after), 1e-9)


def _cells(change: Change) -> list[str]:
    at = ", ".join(f"{name} {value}" for name, value in change.conditions.items())
    verdict = (
        "" if change.passed_before == change.passed_after else ("now FAILS" if change.passed_before else "now passes")
    )
    numbers: list[Any] = [change.before, change.after]
    return [
        change.quantity,
        at,
        *(f"{value:.5g} {change.unit}".strip() for value in numbers),
        f"{change.change:+.4g}",
        verdict,
    ]


examples("ionto bench wiring examples/bench.toml", "ionto bench wiring --json")(wiring_command)
examples("ionto bench check", "ionto bench check examples/virtual_bench.toml")(check_command)
examples(
    "ionto bench run",
    "ionto bench run --device virtual",
    "ionto bench run bench.toml --calibrate --output build/bench",
)(run_command)
examples("ionto bench report build/bench/record.json")(report_command)
examples("ionto bench compare last_year.json build/bench/record.json --all")(compare_command)
examples("ionto bench wiring", "ionto bench check", "ionto bench run")(bench)

COMMANDS = (bench,)
