"""Measured rows on disk, one JSON object a line, so that an interrupted sweep goes on where it stopped.

A row is valid for the sources that made it: the drawing, its models, the firmware and what measures.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "fmea" / "rows.jsonl"
# What a measured figure depends on. Judging and showing do not measure.
LEFT_OUT = "firmware/lib/ionto/serialport.py"  # the bench has a port of its own in its place
_SOURCES = (
    "firmware/lib/ionto",
    "host/ionto_sim/spice",
    "hardware/schematics/exports/iontopico.net",
    *(
        f"verification/fmea/{name}.py"
        for name in ("bench", "changes", "chip", "disk", "moments", "mutations", "runner", "trace", "typical")
    ),
)
Key = tuple[str, str]


def digest(root: Path = ROOT) -> str:
    """Return what tells one state of the sources from another, 16 hex digits; words about them change nothing."""
    total = hashlib.sha256()
    for name in _SOURCES:
        path = root / name
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            place = file.relative_to(root).as_posix()
            if file.is_file() and "__pycache__" not in file.parts and place != LEFT_OUT:
                total.update(place.encode() + b"\0" + _meaning(file))
    return total.hexdigest()[:16]


def _meaning(file: Path) -> bytes:
    """Return a file's content, of Python without comments, docstrings and layout."""
    if file.suffix != ".py":
        return file.read_bytes()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree).encode()


def read(sources: str, path: Path = KEPT) -> dict[Key, dict[str, Any]]:
    """Return the rows kept for `sources` by (fault, moment); a line that was cut short is none."""
    rows: dict[Key, dict[str, Any]] = {}
    if not path.exists():
        return rows
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if row["sources"] == sources:
            rows[row["row"], row["moment"]] = row
    return rows


class Keeper:
    """Appends rows as they come."""

    def __init__(self, sources: str, path: Path = KEPT):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._sources = sources
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def keep(self, row: dict[str, Any]) -> None:
        """Write one row."""
        self._file.write(json.dumps({**row, "sources": self._sources}) + "\n")

    def close(self) -> None:
        """End."""
        self._file.close()


def write_all(rows: Iterable[dict[str, Any]], path: Path) -> None:
    """Write `rows` as one JSON list."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n", encoding="utf-8")
