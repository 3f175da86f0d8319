"""A run: which test runs which line, then the mutants, shared among the workers, with progress on stderr."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from verification.mutants import again, trial
from verification.mutants.mutant import Mutant, mutants_of, sources
from verification.mutants.reach import Chooser, Reach
from verification.mutants.record import Record
from verification.mutants.workshop import Copy, Workshop, workshop

FOLDER = "firmware/lib/ionto"
_TESTS = "tests/unit/core"


class Firmware:
    """The sources below `FOLDER`, {path: text}, and every mutant of them."""

    def __init__(self, root: Path):
        self.root = root
        self.sources = sources(root, FOLDER)
        self.mutants = [each for file, source in self.sources.items() for each in mutants_of(source, file)]

    def is_program(self, mutant: Mutant) -> bool:
        """Say that the mutant is a program at all."""
        return trial.is_program(mutant, self.sources[mutant.key.file])


def core_tests(root: Path) -> dict[str, str]:
    """Return the modules of the core tests, {path: text}."""
    found = sorted((root / _TESTS).rglob("test_*.py"))
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in found}


def run(
    firmware: Firmware, tests: dict[str, str], kept: Record, todo: list[Mutant], workers: int, limit_s: float
) -> None:
    """Try every mutant of `todo` and put its result into `kept`. ClickException when a test fails without a mutant."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with workshop(firmware.root, workers) as shop, Progress(*columns, console=Console(stderr=True)) as progress:
        todo = again.unnoticed(shop, todo, kept, limit_s, progress)
        if not todo:
            return
        reach = _measured(shop, list(tests), kept, progress)
        reach.least_limit_s = limit_s
        _try(shop, todo, kept, Chooser(reach, firmware.sources, tests), progress)


def _measured(shop: Workshop, files: list[str], kept: Record, progress: Progress) -> Reach:
    """Return which test runs which line; run those of which it is not known."""
    reach, missing = kept.reach(files)
    task = progress.add_task("which test runs which line", total=len(missing))

    def work(copied: Copy, file: str) -> dict[str, Any]:
        return copied.ask({"do": "measure", "files": [file], "folder": FOLDER})

    for file, answer in shop.run(missing, work):
        if answer.get("code") or answer["signal"]:
            why = answer.get("failed") or f"signal {answer['signal']}, exit code {answer.get('code')}"
            raise click.ClickException(f"{file} fails without a mutant: {why}")
        kept.add_reach(file, answer["tests"], answer["lines"])
        reach.add(answer["tests"], answer["lines"])
        progress.update(task, advance=1)
    return reach


def _try(shop: Workshop, todo: list[Mutant], kept: Record, chooser: Chooser, progress: Progress) -> None:
    task = progress.add_task("mutants", total=len(todo))
    survived = 0

    def work(copied: Copy, each: Mutant) -> trial.Result:
        return trial.attempt(copied, each, chooser)

    for _, result in shop.run(todo, work):
        kept.add(result)
        survived += result.outcome != trial.KILLED
        progress.update(task, advance=1, description=f"mutants, {survived} survive")
