"""Mutants that a test noticed in older sources: on that test alone, before anything is measured.

So a commit costs seconds for each mutant, and all of a mutant's tests only where that one notices it no longer.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import click
from rich.progress import Progress

from verification.mutants import trial
from verification.mutants.mutant import Mutant
from verification.mutants.record import Record
from verification.mutants.workshop import Copy, Workshop


def unnoticed(
    shop: Workshop, todo: list[Mutant], kept: Record, least_limit_s: float, progress: Progress
) -> list[Mutant]:
    """Put into `kept` who is noticed again; return the rest. ClickException when a test fails without a mutant."""
    limits = kept.limits_s(least_limit_s)
    passing = _passing(shop, {by for by in (kept.killer(each.key) for each in todo) if by}, limits, progress)
    sought = [each for each in todo if _plain(kept.killer(each.key)) in passing]
    task = progress.add_task("noticed in older sources", total=len(sought))

    def work(copied: Copy, each: Mutant) -> trial.Result | None:
        return trial.again(copied, each, kept.killer(each.key), limits)

    for _, result in shop.run(sought, work):
        if result is not None:
            kept.add(result)
        progress.update(task, advance=1)
    return [each for each in todo if kept.known(each.key) is None]


def _passing(shop: Workshop, tests: set[str], limits: dict[str, float], progress: Progress) -> set[str]:
    """Return those of `tests` that there still are, without their parameters: each passes without a mutant."""
    modules: dict[str, list[str]] = defaultdict(list)
    for node in sorted(tests):
        modules[node.partition("::")[0]].append(node)
    task = progress.add_task("those tests without a mutant", total=len(modules))
    found: set[str] = set()

    def work(copied: Copy, module: str) -> dict[str, Any]:
        if not (copied.root / module).exists():
            return {"ran": []}
        return copied.ask(trial.job(modules[module], limits))

    for module, answer in shop.run(modules, work):
        if answer.get("failed") or answer.get("signal"):
            raise click.ClickException(f"{module} fails without a mutant: {answer.get('failed') or answer}")
        found |= {_plain(node) for node in answer["ran"]} | {module}
        progress.update(task, advance=1)
    return found


def _plain(node: str) -> str:
    """Return a test's name without its parameters, which a mutant may change."""
    return node.partition("[")[0]
