"""Print the matrix of hazards and tests; exit 1 when a hazard lacks a mitigation or a test that ran and passed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
from rich.console import Console

from verification.campaign import rows as faults
from verification.hazards import document, matrix, record

ROOT = Path(".")
_TESTS = "tests"
_JUDGED = (0, 1, 5)  # pytest: all passed, some failed, none had to run; what else it says is no result
_REFRESH = "python -m verification.hazards --write"


@click.command()
@click.option("--write", is_flag=True, help=f"Put the tests of each hazard into {document.DOCUMENT}.")
def main(write: bool) -> None:
    """Match docs/hazards.md with the tests that carry its ids.

    Results come from build/tests.json, where every pytest run leaves them for the sources it ran on. Tests that prove a
    hazard and have no result for the present sources are run now, if `make test` runs them. The fault campaign,
    emulator and bench are not started here: what has no result there is shown as such, and a failure counts.
    """
    hazards = document.read(ROOT)
    _run_unproven()
    known = record.read(ROOT)
    known.marked.update(faults.marked())
    rows = matrix.rows(hazards, known)
    problems = document.problems(hazards) + [problem for row in rows for problem in row.problems()]
    problems += _refresh(rows, write)
    console = Console()
    matrix.show(rows, console)
    click.echo(f"{len(rows)} hazards; {matrix.summary(known)}; {known.machine}; {record.RECORD}")
    for problem in problems:
        click.echo(problem, err=True)
    sys.exit(1 if problems else 0)


def _run_unproven() -> None:
    """Run the tests that prove a hazard and have no result; end when pytest could not say."""
    code = subprocess.run([sys.executable, "-m", "pytest", "--unproven", _TESTS], check=False).returncode
    if code not in _JUDGED:
        sys.exit(code)


def _refresh(rows: list[matrix.Row], write: bool) -> list[str]:
    """Compare the tests that the page lists with the markers; with `write` replace them."""
    path = ROOT / document.DOCUMENT
    text = path.read_text(encoding="utf-8")
    fresh = document.with_tests(text, {row.hazard.key: list(row.outcomes) for row in rows})
    if fresh == text:
        return []
    if not write:
        return [f"{document.DOCUMENT} does not list the tests that carry its ids. Type: {_REFRESH}"]
    path.write_text(fresh, encoding="utf-8")
    return []


if __name__ == "__main__":
    main()
