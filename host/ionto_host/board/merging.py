"""The firmware's modules as one: what a board loads is one module, with short names.

Each module costs a board at boot: its file is looked for, and each name in it is searched for among all names so far.
What another module says of it is two look-ups at run time, and a name that MicroPython does not have takes 20 bytes.
So the modules are put behind one another in the order of their imports, `module.name` becomes one name, and the
package's own names become words that MicroPython has already (`words.txt`). The sources stay as they are. No line is
added or lost, so `Map` tells file, line and function of every line of the whole.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ionto_host.board.naming import Naming
from ionto_host.board.scopes import PACKAGE, Fetch, Module, Package, imported_modules

FILE_NAME = "ionto.py"  # what a traceback of the merged module calls it
# What no session with current needs: parts of their own (ionto.shelf), {name: modules}.
PARTS = {
    "ionto_proof": ("filecheck", "proving"),
    "ionto_rest": ("dose", "requests"),
}
_FIRST_LINE = "import ionto, ionto_pack; ionto_pack.narrow()"


@dataclass(frozen=True)
class Function:
    """A function or method of the sources: from line `first` to `last` of the merged module."""

    first: int
    last: int
    name: str


@dataclass(frozen=True)
class Map:
    """What the merged module was that a traceback calls `name`.

    `files` has (first line, file name), in order; the others {word: name}.
    """

    name: str
    files: tuple[tuple[int, str], ...]
    functions: tuple[Function, ...]
    attributes: Mapping[str, str]
    globals: Mapping[str, str]


@dataclass(frozen=True)
class Merged:
    """The merged module's text and its map, and those of its `parts` {name: merged}."""

    text: str
    map: Map
    parts: Mapping[str, Merged]

    def maps(self) -> tuple[Map, ...]:
        """Return the maps of the module and of its parts."""
        return (self.map, *(part.map for part in self.parts.values()))


def merge(
    sources: Mapping[str, str],
    outside: Sequence[str],
    words: Sequence[str],
    parts: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Merged:
    """Return `sources` ({module name: text}) as one module; `outside` are the texts of what uses it on the board.

    `words` are names that MicroPython has, the cheapest first; `parts` are files of their own, {name: modules}. Raises
    ValueError for what cannot be merged.
    """
    package = Package(sources, parts)
    for text in outside:
        package.objects.update(name for node in ast.parse(text).body for name in imported_modules(node))
    naming = Naming(package, _said(outside), words)
    ends = "".join(f"{name} = {PACKAGE}\n" for name in sorted(package.objects))
    return Merged(
        *_put_together(package, naming, "", _FIRST_LINE, ends),
        {part: Merged(*_put_together(package, naming, part, _first_line(package, naming, part)), {}) for part in parts},
    )


def _put_together(package: Package, naming: Naming, part: str, first: str, last: str = "") -> tuple[str, Map]:
    """Return the modules of `part` as one, between the lines `first` and `last`, and its map."""
    text, files, functions = first + "\n", [], []
    imported: set[str] = set()
    for module in package.modules.values():
        if package.part_of(module.name) == part:
            line = text.count("\n")
            files.append((line + 1, f"{module.name}.py"))
            functions += _functions(module.tree, line)
            text += _rewritten(module, naming, imported)
    name = f"{part}.py" if part else FILE_NAME
    return text + last, Map(name, tuple(files), tuple(functions), naming.attributes(), naming.globals())


def _first_line(package: Package, naming: Naming, part: str) -> str:
    """Return the first line of `part`: it takes from the package what it says of it."""
    modules = [module for module in package.modules.values() if package.part_of(module.name) == part]
    own = {name for module in modules for node in module.tree.body for name in _imported(node)}
    names = {
        naming.of(use.meaning)
        for module in modules
        for use in module.uses
        if not any(start <= use.start < end for start, end in module.removed)
        and (
            (use.meaning.kind == "global" and package.part_of(use.meaning.owner) != part)
            or (use.meaning.kind == "outside" and use.meaning.name not in own)
        )
    }
    return f"{_FIRST_LINE}; from {PACKAGE} import {', '.join(sorted(names))}" if names else _FIRST_LINE


def _imported(node: ast.stmt) -> Iterator[str]:
    """Yield the names that `node` imports from elsewhere than the package."""
    if isinstance(node, (ast.Import, ast.ImportFrom)) and not imported_modules(node):
        yield from (alias.asname or alias.name for alias in node.names)


def _said(texts: Iterable[str]) -> set[str]:
    """Return every name in `texts`."""
    return {
        token.string
        for text in texts
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.NAME
    }


def _functions(tree: ast.AST, before: int, inside: str = "") -> Iterator[Function]:
    """Yield the functions in `tree`, of whose lines the first comes after `before` others."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            name = inside + node.name
            assert node.end_lineno is not None
            if isinstance(node, ast.FunctionDef):
                yield Function(node.lineno + before, node.end_lineno + before, name)
            yield from _functions(node, before, name + ".")
        else:
            yield from _functions(node, before, inside)


def _rewritten(module: Module, naming: Naming, imported: set[str]) -> str:
    """Return the text of `module` with the names of the merged module; `imported` are the imports so far."""
    edits = [(use.start, use.end, naming.of(use.meaning)) for use in module.uses]
    edits += [(fetch.start, fetch.end, _fetching(fetch, naming)) for fetch in module.fetched]
    gone = [*module.removed, *_repeated(module, imported)]
    edits = [edit for edit in edits if not any(start <= edit[0] < end for start, end in gone)]
    text = module.text if module.text.endswith("\n") else module.text + "\n"
    for start, end, new in sorted(edits + [(start, end, "pass") for start, end in gone], reverse=True):
        text = text[:start] + new + "\n" * text.count("\n", start, end) + text[end:]
    return text


def _fetching(fetch: Fetch, naming: Naming) -> str:
    return f"from {fetch.part} import {', '.join(naming.of(meaning) for meaning in fetch.meanings)}"


def _repeated(module: Module, imported: set[str]) -> Iterator[tuple[int, int]]:
    """Yield the imports of `module`, at its top, of what an earlier module has imported in the same words."""
    for node in module.tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)) and not imported_modules(node):
            words = ast.unparse(node)
            if words in imported:
                yield module.span(node)
            imported.add(words)
