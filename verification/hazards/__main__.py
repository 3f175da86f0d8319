"""Print the matrix of hazards and tests; exit 1 when a hazard lacks a mitigation or a test that ran and passed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
from rich.console import Console

from verification.campaign import rows as faults
from verification.fmea import causes
from verification.hazards import document, matrix, record

ROOT = Path(".")
_TESTS = "tests"
_JUDGED = (0, 1, 5)  # pytest: all passed, some failed, none had to run; what else it says is no result
_REFRESH = "python -m verification.hazards --write"


@click.command()
@click.option("--write", is_flag=True, help=f"Put the tests of each hazard into {document.DOCUMENT}; run none.")
def main(write: bool) -> None:
    """Match docs/hazards.md with the tests that carry its ids.

    Results come from build/tests.json, where every pytest run leaves them for the sources it ran on. Tests that prove a
    hazard and have no result for the present sources are run now, if `make test` runs them. The fault campaign,
    emulator and bench are not started here: what has no result there is shown as such, and a failure counts.
    """
    hazards = document.read(ROOT)
    _pytest("--unproven", *(["--collect-only", "-qq"] if write else []), _TESTS)
    known = record.read(ROOT)
    known.marked.update(faults.marked())
    rows = matrix.rows(hazards, known)
    problems = document.problems(hazards)
    if write:
        _write(rows)
        sys.exit(_told(problems))
    problems += [problem for row in rows for problem in row.problems()] + _compared(rows) + causes.problems()
    console = Console()
    matrix.show(rows, console)
    click.echo(causes.summary())
    click.echo(f"{len(rows)} hazards; {matrix.summary(known)}; {known.machine}; {record.RECORD}")
    sys.exit(_told(problems))


def _told(problems: list[str]) -> int:
    """Say the problems; return the exit code."""
    for problem in problems:
        click.echo(problem, err=True)
    return 1 if problems else 0


def _pytest(*arguments: str) -> None:
    """Run pytest; end when it could not say."""
    code = subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode
    if code not in _JUDGED:
        sys.exit(code)


def _fresh(rows: list[matrix.Row]) -> str:
    """Return the page with the tests that carry its ids, and the parts that cause each hazard by `make fmea`."""
    text = (ROOT / document.DOCUMENT).read_text(encoding="utf-8")
    text = document.with_parts(text, causes.parts())
    return document.with_tests(text, {row.hazard.key: list(row.outcomes) for row in rows})


def _write(rows: list[matrix.Row]) -> None:
    (ROOT / document.DOCUMENT).write_text(_fresh(rows), encoding="utf-8")


def _compared(rows: list[matrix.Row]) -> list[str]:
    """Return what is to do when the page does not list the tests that carry its ids."""
    if _fresh(rows) == (ROOT / document.DOCUMENT).read_text(encoding="utf-8"):
        return []
    return [f"{document.DOCUMENT} does not list the tests that carry its ids, or the parts. Type: {_REFRESH}"]


if __name__ == "__main__":
    main()
