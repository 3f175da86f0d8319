"""What was found, kept in build/mutants so that a run goes on where the last one stopped; and the answer as JSON.

A kill holds as long as firmware, the tests' helpers and the module of the test that noticed are what they were; a
survival as long as every core test is. So a new test costs the survivors another trial, and no one else. A survivor
that has an entry in equivalents.toml is not tried again at every commit: its reason stands until its line changes, and
the answer counts how many were tried on older sources.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

from verification.mutants.mutant import Key
from verification.mutants.reach import Reach, limit_s
from verification.mutants.trial import KILLED, Result

_EVERYTHING = ""


class Digests:
    """What each kind of result depends on, in 16 hex digits."""

    def __init__(self, root: Path, folder: str, tests: dict[str, str]):
        self._basis = hashlib.sha256()
        helpers = [path for path in (root / "tests/unit").rglob("*.py") if not path.name.startswith("test_")]
        for path in sorted([*(root / folder).rglob("*.py"), *helpers]):
            self._basis.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
        self._of = {file: self._digest({file: text}) for file, text in tests.items()}
        self._of[_EVERYTHING] = self._digest(tests)

    def _digest(self, tests: dict[str, str]) -> str:
        made = self._basis.copy()
        for file, text in tests.items():
            made.update(f"{file}\0{text}\0".encode())
        return made.hexdigest()[:16]

    def of(self, file: str = _EVERYTHING) -> str:
        """Return the digest of firmware, helpers and the test module `file`, or of all test modules."""
        return self._of.get(file, self._of[_EVERYTHING])

    def of_result(self, result: Result) -> str:
        """Return the digest that `result` depends on."""
        return self.of(result.by.partition("::")[0] if result.outcome == KILLED else _EVERYTHING)


class Record:
    """Results by mutant, and which test runs which line, as far as they hold; older ones say what to try first."""

    def __init__(self, folder: Path, digests: Digests, listed: Container[Key]):
        folder.mkdir(parents=True, exist_ok=True)
        self._results_file = folder / "results.jsonl"
        self._reach_file = folder / "reach.json"
        self._digests = digests
        self._results: dict[Key, Result] = {}
        self._killers: dict[Key, str] = {}
        self._older: set[Key] = set()
        for kept in _lines(self._results_file):
            result = Result.from_json(kept)
            self._keep(result, kept["digest"] == digests.of_result(result), result.key in listed)
        self._reach = {kept["file"]: kept for kept in _lines(self._reach_file)}

    def _keep(self, result: Result, holds: bool, listed: bool) -> None:
        """Let `result` count, and no earlier one of its mutant: where it holds, or is that of a listed survivor."""
        key = result.key
        self._killers[key] = result.by
        self._results.pop(key, None)
        self._older.discard(key)
        if holds or (listed and result.outcome != KILLED):
            self._results[key] = result
        if not holds and key in self._results:
            self._older.add(key)

    def is_older(self, key: Key) -> bool:
        """Say that the known result of `key`, a listed survivor, was found in older sources."""
        return key in self._older

    def known(self, key: Key) -> Result | None:
        """Return the result that still holds, None when there is none."""
        return self._results.get(key)

    def killer(self, key: Key) -> str:
        """Return the test that noticed this mutant last, "" when none did."""
        return self._killers.get(key, "")

    def limits_s(self, least_s: float) -> dict[str, float]:
        """Return the processor time (s) that each test may take, of what it took when it was last measured."""
        measured = (kept["tests"] for kept in self._reach.values())
        return {node: limit_s(seconds, least_s) for tests in measured for node, seconds in tests.items()}

    def add(self, result: Result) -> None:
        """Keep `result`, on disk as well."""
        self._keep(result, holds=True, listed=False)
        _append(self._results_file, {**result.as_json(), "digest": self._digests.of_result(result)})

    def reach(self, files: Iterable[str]) -> tuple[Reach, list[str]]:
        """Return what is known of the test modules `files`, and those of which it has to be measured."""
        reach, missing = Reach(), []
        for file in files:
            kept = self._reach.get(file)
            if kept and kept["digest"] == self._digests.of(file):
                reach.add(kept["tests"], kept["lines"])
            else:
                missing.append(file)
        return reach, missing

    def add_reach(self, file: str, tests: dict[str, float], lines: dict[str, dict[str, list[int]]]) -> None:
        """Keep what was measured of one test module."""
        _append(self._reach_file, {"file": file, "digest": self._digests.of(file), "tests": tests, "lines": lines})


def _lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a file of JSON lines; the last one may have been cut short by whatever ended the run."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def _append(path: Path, what: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(what) + "\n")


def answer(results: Iterable[Result], reasons: dict[Key, str], facts: dict[str, Any]) -> dict[str, Any]:
    """Return what build/mutants.json holds: `facts`, the counts, and a row for each mutant, survivors first."""
    rows = [{**result.as_json(), "reason": reasons.get(result.key, "")} for result in results]
    rows.sort(key=lambda row: (row["outcome"] == KILLED, bool(row["reason"]), row["file"], row["at"]))
    killed = sum(row["outcome"] == KILLED for row in rows)
    equivalent = sum(row["outcome"] != KILLED and bool(row["reason"]) for row in rows)
    counts = {
        "tried": len(rows),
        "killed": killed,
        "equivalent": equivalent,
        "survived": len(rows) - killed - equivalent,
    }
    return {**facts, **counts, "killed_percent": round(100 * killed / max(1, len(rows)), 1), "mutants": rows}
