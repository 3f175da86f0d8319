"""Reads docs/hazards.md, and writes what of it is generated: under each hazard its tests, and the parts that cause it.

A hazard is a heading `### HAZ-nn What goes wrong` and a list whose items begin with a bold field name; what else the
page says is prose.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path("docs/hazards.md")
MITIGATIONS = ("Hardware", "Firmware", "Host")
FIELDS = ("Cause", "Harm", *MITIGATIONS, "Residual risk", "Parts", "Tests")
_OPTIONAL = ("Host", "Parts")
SEVERITIES = ("S1", "S2", "S3")
NOTHING = "none"  # how the text of a mitigation begins that does not exist
_WIDTH = 120
_HEADING = re.compile(r"^### (HAZ-\d\d) (.+)$")
_ITEM = re.compile(r"^- \*\*(.+?):\*\*(.*)$")


@dataclass(frozen=True)
class Hazard:
    """One hazard: `key` (HAZ-nn), `title`, its `fields` by name as one line each, and where it stands in the page."""

    key: str
    title: str
    fields: Mapping[str, str]
    line: int

    @property
    def severity(self) -> str:
        """The severity of the harm, S1 to S3, or "" when the page does not say."""
        first = self.fields.get("Harm", "")[:2]
        return first if first in SEVERITIES else ""

    @property
    def mitigations(self) -> tuple[str, ...]:
        """The names of the mitigations that exist."""
        return tuple(name for name in MITIGATIONS if not self.fields.get(name, NOTHING).startswith(NOTHING))

    def problems(self) -> list[str]:
        """Return what the page lacks, as sentences; an empty list for a complete hazard."""
        found = [f"{self.key} has no field {name}" for name in FIELDS if name not in (*self.fields, *_OPTIONAL)]
        found += [f"{self.key} has the unknown field {name}" for name in self.fields if name not in FIELDS]
        found += [f"{self.key}: {name} says nothing" for name, text in self.fields.items() if not text]
        if not self.severity:
            found.append(f"{self.key}: Harm has to begin with one of {', '.join(SEVERITIES)}")
        if not self.mitigations:
            found.append(f"{self.key} has no mitigation")
        return found


def parse(text: str) -> list[Hazard]:
    """Return the hazards of a page, in its order."""
    hazards: list[Hazard] = []
    fields: dict[str, str] | None = None
    name = ""
    for number, line in enumerate(text.splitlines(), 1):
        heading, item = _HEADING.match(line), _ITEM.match(line)
        if heading:
            fields, name = {}, ""
            hazards.append(Hazard(heading[1], heading[2], fields, number))
        elif line.startswith("#"):
            fields = None
        elif fields is not None and item:
            name = item[1]
            fields[name] = item[2].strip()
        elif fields is not None and name:
            fields[name] = f"{fields[name]} {line.strip()}".strip()
    return hazards


def read(root: Path) -> list[Hazard]:
    """Return the hazards of the project in `root`; FileNotFoundError without the page."""
    return parse((root / DOCUMENT).read_text(encoding="utf-8"))


def problems(hazards: Sequence[Hazard]) -> list[str]:
    """Return what is wrong with the page as a whole and with each hazard."""
    keys = [hazard.key for hazard in hazards]
    found = [f"{key} stands twice in {DOCUMENT}" for key in sorted(set(keys)) if keys.count(key) > 1]
    return found + [problem for hazard in hazards for problem in hazard.problems()]


def with_tests(text: str, tests: Mapping[str, Sequence[str]]) -> str:
    """Return the page with the field Tests of each hazard replaced by its node ids in `tests`, by file."""
    whole = _by_function(node for nodes in tests.values() for node in nodes)
    lines: list[str] = []
    key, replaced = "", False
    for line in text.splitlines():
        heading, item = _HEADING.match(line), _ITEM.match(line)
        if line.startswith("#") or item or not line.strip():
            replaced = False
        if line.startswith("#"):
            key = heading[1] if heading else ""
        if key and item and item[1] == "Tests":
            replaced = True
            lines += _tests_field(_by_function(tests.get(key, ())), whole)
        elif not replaced:
            lines.append(line)
    return "\n".join(lines) + "\n"


def with_parts(text: str, parts: Mapping[str, Sequence[str]]) -> str:
    """Return the page with the field Parts of each hazard: parts and nets whose single failure causes it, by key."""
    lines: list[str] = []
    key, replaced = "", False
    for line in text.splitlines():
        heading, item = _HEADING.match(line), _ITEM.match(line)
        if line.startswith("#") or item or not line.strip():
            replaced = bool(item and item[1] == "Parts")
        if line.startswith("#"):
            key = heading[1] if heading else ""
        if key and item and item[1] == "Tests" and parts.get(key):
            lines += textwrap.wrap(f"- **Parts:** {', '.join(parts[key])}", _WIDTH, subsequent_indent="  ")
        if not replaced:
            lines.append(line)
    return "\n".join(lines) + "\n"


def _by_function(nodes: Iterable[str]) -> dict[tuple[str, str], set[str]]:
    """Return the parameters in brackets of each test function, by file and name."""
    found: dict[tuple[str, str], set[str]] = {}
    for node in nodes:
        path, _, name = node.removeprefix("tests/").partition("::")
        function, bracket, parameters = name.partition("[")
        found.setdefault((path, function), set()).add(bracket + parameters)
    return found


def _tests_field(mine: Mapping[tuple[str, str], set[str]], whole: Mapping[tuple[str, str], set[str]]) -> list[str]:
    """Return the lines of the field: each file once; parameters only where some of a test's belong elsewhere."""
    if not mine:
        return ["- **Tests:** none"]
    files: dict[str, list[str]] = {}
    for (path, function), parameters in sorted(mine.items()):
        shown = [""] if parameters == whole[path, function] else sorted(parameters)
        files.setdefault(path, []).extend(f"`{function}{parameter}`" for parameter in shown)
    lines = ["- **Tests:**"]
    for path, names in files.items():
        words = f"{path}: {', '.join(names)}"
        lines += _wrapped(words)
    return lines


def _wrapped(words: str) -> list[str]:
    wrapper = textwrap.TextWrapper(
        _WIDTH, initial_indent="  - ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    return wrapper.wrap(words)
