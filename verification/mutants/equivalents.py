"""Mutants that no test has to notice, each with its reason: equivalents.toml.

An entry is matched by content, so it follows its line wherever that goes. When the line changes, or the mutation is
none that the operators make, the entry is stale, and stale is an error: a reason is about one change of one line.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from verification.mutants.mutant import Key

tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

_FIELDS = {"file": str, "function": str, "line": str, "mutated": str, "reason": str, "nth": int}
_LEAST_REASON = 20


class EquivalentsError(Exception):
    """The file of equivalents is not what it should be: each line of the message is one problem."""


@dataclass(frozen=True)
class Equivalents:
    """Reasons by mutant."""

    reasons: dict[Key, str]

    def reason(self, key: Key) -> str:
        """Return why `key` need not be noticed, "" when it has to be."""
        return self.reasons.get(key, "")

    def stale(self, known: Iterable[Key]) -> list[Key]:
        """Return the entries that are none of `known`, every mutant that the sources have."""
        keys = set(known)
        return [key for key in self.reasons if key not in keys]


def read(path: Path) -> Equivalents:
    """Read the file; EquivalentsError when an entry is incomplete, is there twice, or has no reason to speak of."""
    reasons: dict[Key, str] = {}
    problems = []
    for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("equivalent", []):
        problem = _problem(entry)
        if problem:
            problems.append(f"{path.name}: {problem}: {entry}")
            continue
        key = Key(*(entry[name] for name in ("file", "function", "line", "mutated")), nth=entry.get("nth", 1))
        if key in reasons:
            problems.append(f"{path.name}: twice: {entry}")
        reasons[key] = entry["reason"]
    if problems:
        raise EquivalentsError("\n".join(problems))
    return Equivalents(reasons)


def _problem(entry: dict[str, Any]) -> str:
    unknown = set(entry) - set(_FIELDS)
    missing = set(_FIELDS) - set(entry) - {"nth"}
    if unknown or missing:
        return f"unknown {sorted(unknown)}, missing {sorted(missing)}"
    wrong = [name for name, value in entry.items() if type(value) is not _FIELDS[name]]
    if wrong:
        return f"of the wrong type: {wrong}"
    return "" if len(entry["reason"]) >= _LEAST_REASON else "a reason is a sentence"
