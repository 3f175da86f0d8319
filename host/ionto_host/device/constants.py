"""Fold the integer constants of the device package into the code that uses them, while it is compiled.

MicroPython folds `const()` inside its own module only. From another module each use is two look-ups at run time
(3 us on the RP2040), and every public name is interned at boot (0.1 to 0.3 ms). The sources stay plain Python with one
definition of each number; what is put on a board has the numbers in place. Line numbers do not change.

Tables of words that only the host reads are left out in the same way: each word costs a board the same at boot.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_PACKAGE = "ionto"
HOST_TABLES = ("STATES", "FLAGS", "RECORD_NAMES", "EVENT_NAMES")  # not on a board; a use there is refused
WORDY_TABLES = ("STATUS_FIELDS", "SAMPLE_FIELDS", "EVENT_FIELDS", "THRESHOLDS", "GROUPS")  # there without their words
_CODE_CHARACTERS = 2  # a text of more is a word, not a struct code


@dataclass(frozen=True)
class _Edit:
    """Replace the source between two offsets."""

    start: int
    end: int
    text: str


class Constants:
    """The public integer constants of a package: `sources` is {module name: source text}."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._trees = {name: ast.parse(source) for name, source in sources.items()}
        self._sources = dict(sources)
        self._values = {name: _defined(tree) for name, tree in self._trees.items()}

    def __iter__(self) -> Iterator[str]:
        """Return the names of the modules."""
        return iter(self._sources)

    def fold(self, module: str) -> str:
        """Return the source of `module` with the package's constants in place of their names.

        A module that looks at its own `globals()` keeps the names of its constants. Raises ValueError for a name
        that is a constant and something else in the same module.
        """
        source, tree = self._sources[module], self._trees[module]
        keeps = any(isinstance(node, ast.Name) and node.id == "globals" for node in ast.walk(tree))
        own = {} if keeps else self._values[module]
        gone = [
            _without(node, source)
            for node in tree.body
            if _constant_name(node) in own or _table_name(node) in HOST_TABLES
        ]
        _refuse_host_tables(module, tree)
        gone += [edit for node in tree.body if _table_name(node) in WORDY_TABLES for edit in _wordless(node, source)]
        edits = [*self._folded_imports(tree, source), *self._uses(module, tree, source, own)]
        edits = [edit for edit in edits if not any(out.start <= edit.start < out.end for out in gone)] + gone
        for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
            source = source[: edit.start] + edit.text + source[edit.end :]
        return source

    def _imported(self, tree: ast.Module) -> tuple[dict[str, str], dict[str, int]]:
        """Return {name: module} and {name: value} that `tree` imports from the package."""
        modules, names = {}, {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == _PACKAGE:
                modules.update({alias.asname or alias.name: alias.name for alias in node.names})
            elif isinstance(node, ast.ImportFrom):
                values = self._of_import(node)
                names.update({a.asname or a.name: values[a.name] for a in node.names if a.name in values})
        return modules, names

    def _of_import(self, node: ast.ImportFrom) -> Mapping[str, int]:
        package, _, module = (node.module or "").partition(".")
        return self._values.get(module, {}) if package == _PACKAGE else {}

    def _folded_imports(self, tree: ast.Module, source: str) -> Iterator[_Edit]:
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not self._of_import(node):
                continue
            kept = [alias for alias in node.names if alias.name not in self._of_import(node)]
            if len(kept) == len(node.names):
                continue
            names = ", ".join(a.name + (f" as {a.asname}" if a.asname else "") for a in kept)
            yield _replaced(node, source, f"from {node.module} import {names}" if kept else "pass")

    def _uses(self, module: str, tree: ast.Module, source: str, own: Mapping[str, int]) -> Iterator[_Edit]:
        modules, names = self._imported(tree)
        names.update(own)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                value = self._values.get(modules.get(node.value.id, ""), {}).get(node.attr)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                value = names.get(node.id)
            else:
                _refuse_rebinding(module, node, names, own)
                continue
            if value is not None:
                yield _replaced(node, source, str(value) if value >= 0 else f"({value})")


def _defined(tree: ast.Module) -> dict[str, int]:
    """Return the public constants that a module defines by `NAME = const(...)`."""
    known: dict[str, int] = {}
    for node in tree.body:
        name = _constant_name(node)
        if name:
            assert isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
            expression = ast.Expression(node.value.args[0])
            known[name] = int(eval(compile(expression, name, "eval"), {"__builtins__": {}}, known))
    return known


def _constant_name(node: ast.stmt) -> str:
    """Return the name that `node` defines by `NAME = const(...)`, "" for any other statement."""
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.targets[0], ast.Name):
        function = node.value.func
        if isinstance(function, ast.Name) and function.id == "const":
            return node.targets[0].id
    return ""


def _table_name(node: ast.stmt) -> str:
    """Return the name that `node` assigns to, "" for any other statement."""
    target = node.targets[0] if isinstance(node, ast.Assign) else None
    return target.id if isinstance(target, ast.Name) else ""


def _refuse_host_tables(module: str, tree: ast.Module) -> None:
    for node in ast.walk(tree):
        used = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if used in HOST_TABLES and isinstance(getattr(node, "ctx", None), ast.Load):
            raise ValueError(f"{module}: {used} is a table of the host, a board does not have it")


def _wordless(node: ast.stmt, source: str) -> Iterator[_Edit]:
    """Return the edits that empty the words in the table `node`."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and len(inner.value) > _CODE_CHARACTERS:
            yield _replaced(inner, source, '""')


def _refuse_rebinding(module: str, node: ast.AST, names: Mapping[str, int], own: Mapping[str, int]) -> None:
    """Raise ValueError when `node` makes a variable or a parameter of a constant's name."""
    if isinstance(node, ast.arg) and node.arg in names:
        raise ValueError(f"{module}: {node.arg} is a constant and a parameter; rename one")
    if isinstance(node, ast.Name) and node.id in names and node.id not in own:
        raise ValueError(f"{module}: {node.id} is a constant and assigned; rename one")


def _replaced(node: ast.expr | ast.stmt, source: str, text: str) -> _Edit:
    """Return the edit that puts `text` where `node` is, with as many line ends as there were."""
    start, end = _span(node, source)
    return _Edit(start, end, text + "\n" * source.count("\n", start, end))


def _without(node: ast.stmt, source: str) -> _Edit:
    return _replaced(node, source, "pass")


def _span(node: ast.expr | ast.stmt, source: str) -> tuple[int, int]:
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    assert node.end_lineno is not None and node.end_col_offset is not None

    def offset(line: int, column: int) -> int:
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    return offset(node.lineno, node.col_offset), offset(node.end_lineno, node.end_col_offset)
