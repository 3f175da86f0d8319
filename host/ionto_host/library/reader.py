"""Reads the TOML files of a library, collecting every problem with its file and line."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from ionto_host.units import printable

tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

SCHEMA = 1
MAX_FILE_BYTES = 256 * 1024
ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_HEADER = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?")
_KEY = re.compile(r"""^\s*["']?([\w-]+)["']?\s*=""")


class Problem(NamedTuple):
    """What is wrong in a data file; `line` is 0 when it concerns the whole file."""

    path: Path
    line: int
    text: str

    def words(self) -> str:
        """Return the problem in one line."""
        return f"{self.path}, line {self.line}: {self.text}" if self.line else f"{self.path}: {self.text}"


class DataFile:
    """One parsed file: its table, and the line of every key for complaints."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        self.path = path
        self.problems = problems
        self.table: dict[str, Any] = {}
        self._lines: dict[str, int] = {}
        self._read()

    def _read(self) -> None:
        try:
            data = self.path.read_bytes()[: MAX_FILE_BYTES + 1]
            text = data.decode("utf-8")
            if len(data) > MAX_FILE_BYTES:
                raise ValueError(f"larger than {MAX_FILE_BYTES // 1024} kB")
            self.table = tomllib.loads(text, parse_float=Decimal)
        except (ValueError, ArithmeticError, RecursionError, OSError) as error:
            at = re.search(r"line (\d+)", str(error))
            self.complain("", f"not TOML: {printable(str(error))}", int(at[1]) if at else 0)
            return
        self._lines = _lines(text)
        if self.table.pop("schema", None) != SCHEMA:
            self.complain("schema", f"schema has to be {SCHEMA}")

    def complain(self, key: str, text: str, line: int | None = None) -> None:
        """Note a problem at the dotted `key`, or the nearest table above it that has a line."""
        parts = key.split(".")
        while line is None:
            line = self._lines.get(".".join(parts), None if len(parts) > 1 else 0)
            parts = parts[:-1]
        self.problems.append(Problem(self.path, line, text))

    def entries(self, kind: str) -> dict[str, Entry]:
        """Return the tables [kind.id] of the file by id; complain about whatever else is in it."""
        found = self.table.get(kind, {})
        for other in self.table:
            if other != kind:
                self.complain(other, f"unknown table or field {printable(other)}; this file holds [{kind}.*]")
        if not isinstance(found, dict):
            self.complain(kind, f"{kind} has to be tables [{kind}.name]")
            return {}
        return {name: Entry(self, kind, name, body) for name, body in found.items() if self._is_entry(kind, name, body)}

    def _is_entry(self, kind: str, name: str, body: Any) -> bool:
        where = f"{kind}.{name}"
        if not ID.fullmatch(name):
            self.complain(where, f"{printable(name)}: a name has lower-case letters, digits and single hyphens")
            return False
        if not isinstance(body, dict):
            self.complain(where, f"{where} has to be a table")
            return False
        return True


def _lines(text: str) -> dict[str, int]:
    """Return {dotted key: line} of tables and keys that begin a line."""
    found: dict[str, int] = {}
    prefix = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            prefix = header[1].replace('"', "").replace("'", "").replace(" ", "")
            parts = prefix.split(".")
            for count in range(1, len(parts) + 1):
                found.setdefault(".".join(parts[:count]), number)
        elif key := _KEY.match(line):
            found.setdefault(f"{prefix}.{key[1]}" if prefix else key[1], number)
    return found


@dataclass
class Entry:
    """One table of a data file. Each reader complains and returns a harmless value when the field is wrong."""

    file: DataFile
    kind: str
    id: str
    body: dict[str, Any]

    def complain(self, field: str, text: str) -> None:
        """Note a problem of `field`."""
        self.file.complain(f"{self.kind}.{self.id}.{field}", f"{self.id}: {text}")

    def only(self, *known: str) -> None:
        """Complain about every field that is not `known`."""
        for name in self.body:
            if name not in known:
                self.complain(name, f"unknown field {printable(name)}; known: {', '.join(known)}")

    def text(self, field: str, default: str | None = None) -> str:
        """Return a printable text in one line."""
        value = self.body.get(field, default)
        if not isinstance(value, str) or not value.isprintable() or (default is None and not value):
            self.complain(field, f"{field} has to be a text in quotes, in one line")
            return ""
        return value

    def word(self, field: str, allowed: tuple[str, ...]) -> str:
        """Return a text that is one of `allowed`."""
        value = self.body.get(field)
        if not isinstance(value, str) or value not in allowed:
            self.complain(field, f"{field} is {printable(repr(value))}; one of {', '.join(allowed)}")
            return allowed[0]
        return value

    def texts(self, field: str, needed: bool = True) -> tuple[str, ...]:
        """Return a list of texts; not empty when `needed`."""
        value = self.body.get(field, [] if not needed else None)
        good = isinstance(value, list) and all(isinstance(item, str) and item.isprintable() for item in value)
        if not good or (needed and not value):
            self.complain(field, f"{field} has to be a list of texts" + (" and not empty" if needed else ""))
            return ()
        return tuple(value or ())

    def pairs(self, field: str) -> dict[str, str]:
        """Return a table of texts, empty when there is none."""
        value = self.body.get(field, {})
        if not isinstance(value, dict) or not all(isinstance(item, str) and item for item in value.values()):
            self.complain(field, f"{field} has to be a table of texts")
            return {}
        return {str(name): str(text) for name, text in value.items()}

    def integer(self, field: str, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`."""
        value = self.body.get(field)
        if type(value) is not int or not low <= value <= high:
            self.complain(field, f"{field} has to be a whole number from {low} to {high}")
            return low
        return value

    def number(self, field: str) -> Decimal:
        """Return a positive number."""
        value = as_number(self.body.get(field))
        if value is None:
            self.complain(field, f"{field} has to be a number above 0")
            return Decimal(1)
        return value

    def tables(self, field: str) -> list[dict[str, Any]]:
        """Return a list of inline tables; not empty."""
        value = self.body.get(field)
        if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
            self.complain(field, f"{field} has to be a list of figures {{ low, high, source }}")
            return []
        return value


def as_number(value: Any) -> Decimal | None:
    """Return a TOML number above 0 and below a million as a Decimal, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    number = Decimal(value)
    return number if number.is_finite() and 0 < number < 1_000_000 else None
