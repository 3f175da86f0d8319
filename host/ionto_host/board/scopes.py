"""Which name in the firmware's sources means what: the names of all modules, resolved as Python does.

The package's modules import each other and nothing else of their own, have no `import *`, and no module is assigned to
from outside; what breaks this is refused.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

PACKAGE = "ionto"
_HOST_CONDITIONS = ("TYPE_CHECKING", "CPYTHON")


@dataclass(frozen=True)
class Meaning:
    """What a name stands for: `kind` is "attribute", "global", "parameter", "module", "outside" or "local".

    `owner` is the module of a global and the place of a parameter among those around it.
    """

    kind: str
    name: str
    owner: str = ""


@dataclass(frozen=True)
class Use:
    """A name in the source of a module, from offset `start` to `end`; `scope` is where it stands."""

    start: int
    end: int
    meaning: Meaning
    scope: Scope


@dataclass
class Scope:
    """What the names bound in a function, class, comprehension or module mean."""

    kind: str
    parent: Scope | None = None
    names: dict[str, Meaning] = field(default_factory=dict)
    parameters: int = 0

    def seen(self) -> Iterator[Scope]:
        """Yield the scopes whose names can be said here, the innermost first; that of a class only inside itself."""
        yield self
        scope = self.parent
        while scope:
            if scope.kind != "class":
                yield scope
            scope = scope.parent

    def look_up(self, name: str) -> Meaning | None:
        """Return what `name` means here; None for what is built in."""
        return next((scope.names[name] for scope in self.seen() if name in scope.names), None)


@dataclass(frozen=True)
class Fetch:
    """An import, from offset `start` to `end`, of `meanings` in the part `part`: it stays one when it runs."""

    start: int
    end: int
    part: str
    meanings: tuple[Meaning, ...]


class Module:
    """One module: `uses` are its names, `removed` the spans that a merged program does without, `fetched` its imports
    of what lies in another file."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        self.tree = ast.parse(text)
        self.top = Scope("module")
        self.uses: list[Use] = []
        self.removed: list[tuple[int, int]] = []
        self.fetched: list[Fetch] = []
        self._starts = [0]
        for line in text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def offset(self, line: int, column: int) -> int:
        """Return the offset in the text of a place as `ast` gives it; sources are ASCII."""
        return self._starts[line - 1] + column

    def span(self, node: ast.expr | ast.stmt | ast.alias | ast.arg | ast.keyword) -> tuple[int, int]:
        """Return where `node` begins and ends."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset)


class Package:
    """All modules of `sources` ({name: text}), with what each name in them means; in the order of their imports.

    `parts` is {name: its modules}: files of their own, from which the others import inside functions only.
    """

    def __init__(self, sources: Mapping[str, str], parts: Mapping[str, Sequence[str]]) -> None:
        self._parts = {module: part for part, modules in parts.items() for module in modules}
        parsed = {name: Module(name, text) for name, text in sources.items()}
        self.modules: dict[str, Module] = {}
        for name in sorted(parsed):
            self._take(parsed, name)
        self.keywords = {
            node.arg
            for module in self.modules.values()
            for node in ast.walk(module.tree)
            if isinstance(node, ast.keyword) and node.arg
        }
        self.texts = {text for module in self.modules.values() for text in _texts(module.tree)}
        self.classes = {
            node.name
            for module in self.modules.values()
            for node in ast.walk(module.tree)
            if isinstance(node, ast.ClassDef)
        }
        self.foreign: set[str] = set()  # names in modules of others
        self.objects: set[str] = set()  # modules that are passed on as objects
        for module in self.modules.values():
            self._bind_module(module)
        for module in self.modules.values():
            _Walk(self, module).body(module.tree.body, module.top)

    def _take(self, parsed: Mapping[str, Module], name: str, above: tuple[str, ...] = ()) -> None:
        """Add module `name` after those that it imports as it is imported itself."""
        if name in self.modules:
            return
        if name in above:
            raise ValueError(f"modules import each other in a circle: {' > '.join((*above, name))}")
        for node in live(parsed[name].tree.body):
            for other in imported_modules(node):
                self._take(parsed, other, (*above, name))
        self.modules[name] = parsed[name]

    def part_of(self, module: str) -> str:
        """Return the part that `module` lies in, "" for the one that is always there."""
        return self._parts.get(module, "")

    def _bind_module(self, module: Module) -> None:
        for node in live(module.tree.body):
            for other in imported_modules(node):
                if self.part_of(other) not in ("", self.part_of(module.name)):
                    raise ValueError(f"{module.name} imports {other} of a part that may not be there: in a function")
            for name in bound(node):
                module.top.names.setdefault(name, Meaning("global", name, module.name))
            module.top.names.update(self.imports(node, "outside"))

    def imports(self, node: ast.stmt, otherwise: str) -> dict[str, Meaning]:
        """Return what the names mean that `node` imports; those of other packages are of the kind `otherwise`."""
        if isinstance(node, ast.Import):
            return {a.asname or a.name: Meaning(otherwise, a.asname or a.name) for a in node.names}
        if not isinstance(node, ast.ImportFrom):
            return {}
        if node.module == PACKAGE:
            return {a.asname or a.name: Meaning("module", a.name) for a in node.names}
        if not str(node.module).startswith(PACKAGE + "."):
            return {a.asname or a.name: Meaning(otherwise, a.asname or a.name) for a in node.names}
        module = str(node.module).partition(".")[2]
        return {a.asname or a.name: self.member(module, a.name) for a in node.names}

    def member(self, module: str, name: str) -> Meaning:
        """Return what `name` means in `module`; ValueError when there is no such name."""
        try:
            return self.modules[module].top.names[name]
        except KeyError:
            raise ValueError(f"the firmware's module {module} has no {name}") from None


def live(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of `body` at this level, also in `if` and `try`, without those that are for hosts only."""
    for node in body:
        if isinstance(node, ast.If):
            yield from live(node.orelse if is_for_hosts(node) else node.body + node.orelse)
        elif isinstance(node, (ast.For, ast.While, ast.With)):
            yield node
            yield from live(node.body)
        elif isinstance(node, ast.Try):
            yield from live(node.body + [part for h in node.handlers for part in h.body] + node.orelse + node.finalbody)
        else:
            yield node


def is_for_hosts(node: ast.If) -> bool:
    """Return True for `if TYPE_CHECKING:` and `if CPYTHON:`, also with the number in place of the name."""
    test = node.test
    return (isinstance(test, ast.Name) and test.id in _HOST_CONDITIONS) or (
        isinstance(test, ast.Constant) and not test.value
    )


def imported_modules(node: ast.stmt) -> list[str]:
    """Return the package's modules that `node` imports."""
    if isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and str(node.module).startswith(PACKAGE + "."):
        return [str(node.module).partition(".")[2]]
    return []


def bound(node: ast.AST) -> Iterator[str]:
    """Yield the names that `node` binds where it stands, imports not counted."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
        yield node.id
    elif not isinstance(node, (ast.Lambda, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp)):
        if isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name
        for child in ast.iter_child_nodes(node):
            yield from bound(child)


def _texts(tree: ast.Module) -> Iterator[str]:
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
            yield node.value


class _Walk:
    """Notes what each name in a module means."""

    def __init__(self, package: Package, module: Module) -> None:
        self._package, self._module = package, module

    def body(self, nodes: Sequence[ast.AST], scope: Scope) -> None:
        for node in nodes:
            self.visit(node, scope)

    def visit(self, node: ast.AST, scope: Scope) -> None:
        """Note what stands in `node`."""
        method = getattr(self, "_" + type(node).__name__.lower(), None)
        if method:
            method(node, scope)
        else:
            self._children(node, scope)

    def _children(self, node: ast.AST, scope: Scope) -> None:
        for child in ast.iter_child_nodes(node):
            self.visit(child, scope)

    def _note(self, start: int, end: int, meaning: Meaning | None, scope: Scope) -> None:
        if meaning is None:
            return
        if meaning.kind == "module":
            self._package.objects.add(meaning.name)
        self._module.uses.append(Use(start, end, meaning, scope))

    def _name(self, node: ast.Name, scope: Scope) -> None:
        self._note(*self._module.span(node), self._meaning(node.id, isinstance(node.ctx, ast.Load), scope), scope)

    def _meaning(self, name: str, loaded: bool, scope: Scope) -> Meaning | None:
        """Return what `name` means in `scope`: an attribute where a class binds it, maybe a global where it is used."""
        return Meaning("attribute", name) if scope.kind == "class" and not loaded else scope.look_up(name)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> None:
        start, end = self._module.span(node)
        meaning = scope.look_up(node.value.id) if isinstance(node.value, ast.Name) else None
        if meaning and meaning.kind == "module":
            if not isinstance(node.ctx, ast.Load):
                raise ValueError(f"{self._module.name} assigns to {meaning.name}.{node.attr}")
            self._note(start, end, self._package.member(meaning.name, node.attr), scope)
            return
        if meaning and meaning.kind == "outside":
            self._package.foreign.add(node.attr)
        self.visit(node.value, scope)
        self._note(end - len(node.attr), end, Meaning("attribute", node.attr), scope)

    def _keyword(self, node: ast.keyword, scope: Scope) -> None:
        self.visit(node.value, scope)
        if node.arg:
            start, _ = self._module.span(node)
            self._note(start, start + len(node.arg), Meaning("attribute", node.arg), scope)

    def _if(self, node: ast.If, scope: Scope) -> None:
        if is_for_hosts(node):
            self.visit(node.test, scope)
            self._module.removed.append((self._module.span(node.body[0])[0], self._module.span(node.body[-1])[1]))
            self.body(node.orelse, scope)
        else:
            self._children(node, scope)

    def _import(self, node: ast.Import, scope: Scope) -> None:
        """Nothing in it has another name in the end."""

    def _importfrom(self, node: ast.ImportFrom, scope: Scope) -> None:
        for other in imported_modules(node):
            part = self._package.part_of(other)
            if part in ("", self._package.part_of(self._module.name)):
                self._module.removed.append(self._module.span(node))
                return
            if node.module == PACKAGE:
                raise ValueError(f"{self._module.name} imports {other} of a part as a module: import its names")
            meanings = tuple(self._package.member(other, alias.name) for alias in node.names)
            self._module.fetched.append(Fetch(*self._module.span(node), part, meanings))

    def _global(self, node: ast.Global, scope: Scope) -> None:
        raise ValueError(f"{self._module.name} has a `global` statement: keep what changes in an object")

    _nonlocal = _global

    def _definition(self, node: ast.FunctionDef | ast.ClassDef, scope: Scope) -> None:
        found = re.compile(rf"(def|class)\s+{node.name}\b").search(self._module.text, self._module.span(node)[0])
        assert found is not None
        self._note(found.end() - len(node.name), found.end(), self._meaning(node.name, False, scope), scope)
        self.body(node.decorator_list, scope)

    def _functiondef(self, node: ast.FunctionDef, scope: Scope) -> None:
        self._definition(node, scope)
        inner = self._function(node.args, scope)
        for name in bound_in(node.body):
            inner.names.setdefault(name, Meaning("local", name))
        for part in live(node.body):
            inner.names.update(self._package.imports(part, "local"))
        self.body(node.body, inner)

    def _lambda(self, node: ast.Lambda, scope: Scope) -> None:
        self.visit(node.body, self._function(node.args, scope))

    def _function(self, arguments: ast.arguments, scope: Scope) -> Scope:
        """Return the scope of a function with `arguments`, which are noted."""
        for default in (*arguments.defaults, *(part for part in arguments.kw_defaults if part)):
            self.visit(default, scope)
        inner = Scope("function", scope, parameters=scope.parameters)
        extra = [part for part in (arguments.vararg, arguments.kwarg) if part]
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *extra):
            inner.names[argument.arg] = self._parameter(argument.arg, inner)
            start, _ = self._module.span(argument)
            self._note(start, start + len(argument.arg), inner.names[argument.arg], inner)
        return inner

    def _parameter(self, name: str, scope: Scope) -> Meaning:
        if name in self._package.keywords:
            return Meaning("attribute", name)
        if name == "self":
            return Meaning("local", name)
        scope.parameters += 1
        return Meaning("parameter", name, str(scope.parameters - 1))

    def _classdef(self, node: ast.ClassDef, scope: Scope) -> None:
        self._definition(node, scope)
        for part in (*node.bases, *node.keywords):
            self.visit(part, scope)
        inner = Scope("class", scope, parameters=scope.parameters)
        for part in node.body:
            self.visit(part, inner)
            inner.names.update({name: Meaning("attribute", name) for name in bound(part)})

    def _comprehension_of(
        self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp, scope: Scope
    ) -> None:
        inner = Scope("comprehension", scope, parameters=scope.parameters)
        for part in node.generators:
            inner.names.update({name: Meaning("local", name) for name in bound(part.target)})
        self._children(node, inner)

    _listcomp = _generatorexp = _setcomp = _dictcomp = _comprehension_of


def bound_in(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names that the statements of `body` bind, imports not counted."""
    for node in body:
        yield from bound(node)
