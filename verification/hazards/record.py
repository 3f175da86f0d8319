"""The record of test results: build/tests.json, written by every pytest run, valid for the sources it was made with.

It holds the last result of each test for one state of the sources, told by a digest of their contents. A run with
other sources starts it anew; a run of a few tests adds to it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path

RECORD = Path("build/tests.json")
SOURCES = ("firmware", "host", "hardware", "tests", "verification", "examples", "pyproject.toml")
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass
class Record:
    """Results by node id. What the last `--unproven` run collected: `marked`, the hazards of each test that carries
    some, and `required`, the folders of `make test`, whose tests have to run.
    """

    sources: str
    results: dict[str, str] = field(default_factory=dict)
    marked: dict[str, list[str]] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    machine: str = field(default_factory=lambda: f"CPython {platform.python_version()}, {platform.system()}")

    def must_run(self, node: str) -> bool:
        """Return True for a test of `make test`; others may need an image or a board."""
        return node.startswith(tuple(self.required))

    def unproven(self) -> list[str]:
        """Return the marked tests that have to run and have no result."""
        return [node for node in self.marked if self.must_run(node) and node not in self.results]

    def keep(self, root: Path) -> bool:
        """Write the record below `root`; return False, and do not, when the sources are no longer those it tells of."""
        if digest(root) != self.sources:
            return False
        path = root / RECORD
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(vars(self), indent=1), encoding="utf-8")
        part.replace(path)
        return True


def read(root: Path) -> Record:
    """Return the record for the present sources; an empty one when there is none, or one of other sources."""
    sources = digest(root)
    try:
        known = json.loads((root / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Record(sources)
    return Record(**known) if known["sources"] == sources else Record(sources)


def digest(root: Path) -> str:
    """Return the SHA-256 over names and contents of all files that decide what a test run shows."""
    total = hashlib.sha256()
    for path in sorted(path for name in SOURCES for path in _files(root / name)):
        total.update(f"{path.relative_to(root).as_posix()}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
