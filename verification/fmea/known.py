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


Entry = tuple[tuple[str, ...], str]  # what is violated, and the figures in words


def read_entries(path: Path = PATH) -> dict[str, Entry]:
    """Return the listed violations with their figures."""
    if not path.exists():
        return {}
    table = json.loads(path.read_text(encoding="utf-8"))
    return {key: (tuple(entry["violates"]), entry["figures"]) for key, entry in table.items()}


def read(path: Path = PATH) -> dict[str, tuple[str, ...]]:
    """Return the listed violations."""
    return {key: violations for key, (violations, _) in read_entries(path).items()}


def write(entries: Mapping[str, Entry], path: Path = PATH) -> None:
    """Write the list, a line a row."""
    lines = [
        f"{json.dumps(key)}: {json.dumps({'violates': list(violations), 'figures': words})}"
        for key, (violations, words) in sorted(entries.items())
    ]
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
