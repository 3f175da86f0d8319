"""Which rows are run, in which order: first what decides most, so that a sweep that is cut short has told the worst.

A fault that moves no node, neither in HOLD, nor when the firmware stops there, nor before START, is not tried at the
other moments: its rows there are taken over from HOLD, and say so.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from verification.fmea import runner, store
from verification.fmea.faults import Row
from verification.fmea.moments import HOLD_4, NAMES, START, WITHIN

Measured = dict[str, Any]
Kept = Mapping[store.Key, Measured]
DECIDING = (HOLD_4.name, *WITHIN, START.name)
OTHERS = tuple(name for name in NAMES if name not in DECIDING)
_HOLD = (HOLD_4.name, *WITHIN)


def measure(
    rows: Sequence[Row], moments: Sequence[str], kept: dict[store.Key, Measured], jobs: int
) -> Iterator[Measured]:
    """Yield each of `rows` at `moments` that is not `kept` yet, as it is measured or taken over; add it to `kept`."""
    for names, wanted in (
        (_HOLD, lambda row: True),
        ((START.name,), lambda row: not _quiet(kept, row, _HOLD)),
        (OTHERS, lambda row: not _quiet(kept, row, _HOLD)),
        ((START.name,), lambda row: True),
        (OTHERS, lambda row: not _quiet(kept, row, DECIDING)),
    ):
        chosen = [name for name in names if name in moments]
        yield from _stage(rows, chosen, wanted, kept, jobs)
    for row in rows:
        for name in OTHERS:
            if name in moments and (row.key, name) not in kept and _quiet(kept, row, DECIDING):
                kept[row.key, name] = {**kept[row.key, HOLD_4.name], "moment": name, "taken_over": True}
                yield kept[row.key, name]


def _stage(
    rows: Sequence[Row], names: Sequence[str], wanted: Callable[[Row], bool], kept: dict[store.Key, Measured], jobs: int
) -> Iterator[Measured]:
    todo = {name: [row for row in rows if (row.key, name) not in kept and wanted(row)] for name in names}
    for measured in runner.run(todo, jobs):
        key = measured["row"], measured["moment"]
        if key not in kept:
            kept[key] = measured
            yield measured


def _quiet(kept: Kept, row: Row, names: Sequence[str]) -> bool:
    return all((row.key, name) in kept and kept[row.key, name].get("same") for name in names)


def sample(rows: Sequence[Row], count: int, seed: int) -> list[tuple[Row, str]]:
    """Return `count` rows with a moment each, the same for a seed."""
    chance = random.Random(seed)
    everything = [(row, name) for row in rows for name in NAMES]
    return chance.sample(everything, min(count, len(everything)))


def important_first(rows: Sequence[Row]) -> list[Row]:
    """Return `rows` with bridges between pins of the Pico at the end: many, and most join what only lights use."""
    return sorted(rows, key=lambda row: all(name.startswith("A1:") and name.endswith(":short") for name in row.names))
