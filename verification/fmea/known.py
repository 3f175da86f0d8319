"""The violations that are known, each with its figures: strict expected failures.

A row that violates something and is not listed fails the sweep; so does a listed one that does not violate it any more.
The next change of the circuit takes entries away; nothing else does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PATH = Path(__file__).with_name("known_violations.json")
Violations = Mapping[str, tuple[str, ...]]  # "fault at MOMENT": names of what is violated


@dataclass(frozen=True)
class Difference:
    """What a sweep and the list say differently, as ids of rows."""

    new: tuple[str, ...]
    gone: tuple[str, ...]
    other: tuple[str, ...]  # violate something else than listed

    def __bool__(self) -> bool:
        return bool(self.new or self.gone or self.other)


def label(fault: str, moment: str) -> str:
    """Return the id of a row."""
    return f"{fault} at {moment}"


def read(path: Path = PATH) -> dict[str, tuple[str, ...]]:
    """Return the listed violations."""
    if not path.exists():
        return {}
    return {key: tuple(entry["violates"]) for key, entry in json.loads(path.read_text(encoding="utf-8")).items()}


def write(entries: Iterable[tuple[str, tuple[str, ...], str]], path: Path = PATH) -> None:
    """Write the list from (row, violations, figures in words)."""
    table = {key: {"violates": list(violations), "figures": words} for key, violations, words in sorted(entries)}
    lines = [f"{json.dumps(key)}: {json.dumps(entry)}" for key, entry in table.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def compare(found: Violations, run: Iterable[str], listed: Violations) -> Difference:
    """Compare what the rows `run` were found to violate with the list."""
    new, gone, other = [], [], []
    for key in run:
        is_now, was = found.get(key, ()), listed.get(key, ())
        if set(is_now) == set(was):
            continue
        (gone if not is_now else new if not was else other).append(key)
    return Difference(tuple(new), tuple(gone), tuple(other))
