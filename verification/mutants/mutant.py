"""What a mutant is, and every mutant of a source file."""

from __future__ import annotations

import ast
import copy
import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import cosmic_ray.ast
import parso.tree

from verification.mutants import operators

_LEAVES_THAT_STAY = {"name", "string", "newline", "endmarker", "fstring_string"}


@dataclass(frozen=True)
class Key:
    """What a mutant is, wherever its line moves: file, function, the line before and after, which of equal ones."""

    file: str
    function: str
    line: str
    mutated: str
    nth: int = 1

    def digest(self, seed: int) -> str:
        """Return this key's place in the order of the sample with `seed`, 64 hex digits."""
        words = (str(seed), self.file, self.function, self.line, self.mutated, str(self.nth))
        return hashlib.sha256("\0".join(words).encode()).hexdigest()


@dataclass(frozen=True)
class Mutant:
    """One change of one file: `source[start:end]` becomes `text`. Lines count from 1, `last` is one of them."""

    key: Key
    operator: str
    start: int
    end: int
    text: str
    first: int
    last: int

    def apply(self, source: str) -> str:
        """Return `source`, the file that the mutant was made from, with the change."""
        return source[: self.start] + self.text + source[self.end :]


class Places:
    """Where the statements and functions of a source are."""

    def __init__(self, source: str):
        tree = ast.parse(source)
        self._functions: list[tuple[int, int, str]] = []
        self._statements: list[tuple[int, int]] = []
        self._unread: set[int] = set()
        self._walk(tree, "")

    def _walk(self, node: ast.AST, name: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = name
            if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
                inner = f"{name}.{child.name}" if name else child.name
                self._functions.append((child.lineno, child.end_lineno or child.lineno, inner))
            if _is_for_type_checkers(child):
                self._unread.update(range(child.lineno, _last(child) + 1))
            if isinstance(child, ast.stmt):
                self._statements.append((child.lineno, _head_end(child)))
            self._walk(child, inner)

    def function(self, line: int) -> str:
        """Return the qualified name of the function or class that `line` is in, "" outside of any."""
        return max(((first, name) for first, last, name in self._functions if first <= line <= last), default=(0, ""))[
            1
        ]

    def is_read(self, line: int) -> bool:
        """Return False for a line that type checkers alone read."""
        return line not in self._unread

    def statement(self, line: int) -> tuple[int, int]:
        """Return the first and the last line of the statement at `line`; of a compound one, of its head."""
        around = [(first, last) for first, last in self._statements if first <= line <= last]
        return max(around, default=(line, line))


def _is_for_type_checkers(node: ast.AST) -> TypeGuard[ast.If | ast.Assign]:
    named = node.test if isinstance(node, ast.If) else node.targets[0] if isinstance(node, ast.Assign) else None
    return isinstance(named, ast.Name) and named.id == "TYPE_CHECKING"


def _last(node: ast.If | ast.Assign) -> int:
    """Return the last line of an assignment, or of what an `if` is about; an `else` is not."""
    body = node.body[-1] if isinstance(node, ast.If) else node
    return body.end_lineno or node.lineno


def _head_end(statement: ast.stmt) -> int:
    body = getattr(statement, "body", None)
    if isinstance(body, list) and body:
        return max(statement.lineno, body[0].lineno - 1)
    return statement.end_lineno or statement.lineno


def mutants_of(source: str, file: str) -> list[Mutant]:
    """Return every mutant of `source`, the text of `file`, that is another program to CPython; in a fixed order."""
    seen: Counter[Key] = Counter()
    found = []
    for mutant in _changes(source, file):
        seen[mutant.key] += 1
        if seen[mutant.key] > 1:
            key = Key(*_words(mutant.key), nth=seen[mutant.key])
            mutant = Mutant(key, mutant.operator, mutant.start, mutant.end, mutant.text, mutant.first, mutant.last)
        found.append(mutant)
    return found


def _words(key: Key) -> tuple[str, str, str, str]:
    return key.file, key.function, key.line, key.mutated


def _changes(source: str, file: str) -> Iterator[Mutant]:
    tree = cosmic_ray.ast.get_ast(source)
    lines = source.splitlines(keepends=True)
    starts = [0, *itertools.accumulate(map(len, lines))]
    places = Places(source)
    for node in cosmic_ray.ast.ast_nodes(tree):
        if node.type in _LEAVES_THAT_STAY:
            continue
        start, end = (starts[line - 1] + column for line, column in (node.start_pos, node.end_pos))
        for name, text in _variants(node):
            if text == source[start:end]:
                continue
            before, after, first, last = _difference(lines, node, source[:start], text, source[end:])
            if not places.is_read(first):
                continue
            statement = places.statement(first)
            key = Key(file, places.function(first), before, after)
            yield Mutant(key, name, start, end, text, min(first, statement[0]), max(last, statement[1]))


def _variants(node: parso.tree.NodeOrLeaf) -> Iterable[tuple[str, str]]:
    """Return (operator, new text of `node`) of everything that the operators make of it."""
    for maker in operators.ALL:
        for index in range(maker.count(node)):
            # A copy, whose parent is the original's: operators look at it, and they change what they are given.
            yield maker.name, maker.text(copy.deepcopy(node, {id(node.parent): node.parent}), index)


def _difference(
    lines: list[str], node: parso.tree.NodeOrLeaf, head: str, text: str, tail: str
) -> tuple[str, str, int, int]:
    """Return what differs, before and after, each put into one line; and the first and last line number before."""
    first, last = node.start_pos[0], node.end_pos[0]
    before = [line.strip() for line in lines[first - 1 : last]]
    changed = head[head.rfind("\n") + 1 :] + text + tail.partition("\n")[0]
    after = [line.strip() for line in changed.splitlines()]
    while before and after and before[0] == after[0]:
        del before[0], after[0]
        first += 1
    while before and after and before[-1] == after[-1]:
        del before[-1], after[-1]
        last -= 1
    return " ".join(before), " ".join(after), first, max(first, last)


def sources(root: Path, folder: str) -> dict[str, str]:
    """Return {path from `root`: text} of every Python file below `folder`."""
    files = sorted((root / folder).rglob("*.py"))
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in files}
