"""Which tests can notice a change of a line: those that run it, or that run what uses the names it makes."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from verification.mutants.mutant import Mutant

_LIMIT_FACTOR = 10.0  # of a test's own processor time, measured with every line watched


def limit_s(seconds: float, least_limit_s: float) -> float:
    """Return the processor time that a test may take with a mutant, of what it took without; all in s."""
    return least_limit_s + _LIMIT_FACTOR * seconds


@dataclass
class Reach:
    """What a run of the core tests without a mutant has shown: {test: s}, and {(file, line): tests}."""

    seconds: dict[str, float] = field(default_factory=dict)
    tests: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    least_limit_s: float = 10.0

    def add(self, seconds: dict[str, float], lines: dict[str, dict[str, list[int]]]) -> None:
        """Add the tests of one answer of a guest."""
        self.seconds.update(seconds)
        for node, files in lines.items():
            for file, numbers in files.items():
                for number in numbers:
                    self.tests[file, number].add(node)

    def of_lines(self, file: str, lines: Iterable[int]) -> set[str]:
        """Return the tests that run any of `lines`."""
        return set().union(*(self.tests.get((file, line), set()) for line in lines))

    def limit_s(self, node: str) -> float:
        """Return the processor time that `node` may take with a mutant, in s."""
        return limit_s(self.seconds[node], self.least_limit_s)


class Chooser:
    """Chooses the tests of a mutant, the quickest first. `tests` are the texts of the test modules, by path."""

    def __init__(self, reach: Reach, sources: dict[str, str], tests: dict[str, str]):
        self._reach = reach
        self._tests = tests
        self._files = {file: _File(source) for file, source in sources.items()}
        self._of_name: dict[str, set[str]] = {}

    def batches(self, mutant: Mutant) -> list[list[str]]:
        """Return the tests that can notice `mutant`, by module.

        First come the modules that bear the name of the mutant's file, then the quickest ones, and so in each module.
        """
        chosen = self._of_place(mutant.key.file, mutant.first, mutant.last)
        seconds = self._reach.seconds
        modules: dict[str, list[str]] = defaultdict(list)
        for node in sorted(chosen, key=lambda node: (seconds[node], node)):
            modules[node.partition("::")[0]].append(node)
        stem = PurePosixPath(mutant.key.file).stem

        def rank(module: str) -> tuple[bool, float]:
            return stem not in module, sum(seconds[node] for node in modules[module])

        return [modules[module] for module in sorted(modules, key=rank)]

    def limit_s(self, node: str) -> float:
        """Return the processor time that the test `node` may take with a mutant, in s."""
        return self._reach.limit_s(node)

    def _of_place(self, file: str, first: int, last: int) -> set[str]:
        known = self._files[file]
        body = known.function_at(first)
        if body is not None and first >= body[0]:
            return self._reach.of_lines(file, range(first, last + 1))
        if body is not None:  # of a function's head: its defaults count when it is called
            return self._reach.of_lines(file, range(body[0], body[1] + 1))
        names = known.made_at(first)
        chosen = self._reach.of_lines(file, range(first, last + 1)) | self._of_namesakes(file)
        for name in names:
            chosen |= self._of_users(name, frozenset())
        return chosen or self._of_file(file)

    def _of_users(self, name: str, asked: frozenset[str]) -> set[str]:
        """Return the tests that run a line which uses `name`, or a name that is made from it, or that speak of it."""
        if name in asked:
            return set()
        if name not in self._of_name:
            found: set[str] = set()
            for file, known in self._files.items():
                found |= self._reach.of_lines(file, known.used_in_functions(name))
                for made in known.made_from(name):
                    found |= self._of_users(made, asked | {name})
            speaking = tuple(path for path, text in self._tests.items() if name in text)
            found |= {node for node in self._reach.seconds if node.startswith(speaking)} if speaking else set()
            if asked:
                return found
            self._of_name[name] = found
        return self._of_name[name]

    def _of_namesakes(self, file: str) -> set[str]:
        """Return the tests of the modules that bear the name of `file`: they may look at all it has, by no name."""
        name = "test_" + PurePosixPath(file).stem
        modules = {path for path in self._tests if PurePosixPath(path).name.startswith((name + "_", name + "."))}
        return {node for node in self._reach.seconds if node.partition("::")[0] in modules}

    def _of_file(self, file: str) -> set[str]:
        return set().union(*(nodes for (known, _), nodes in self._reach.tests.items() if known == file))


class _File:
    """What one source file binds and uses, and where."""

    def __init__(self, source: str):
        self._bodies: list[tuple[int, int, int]] = []  # first line of the head, of the body, and the last
        self._made: list[tuple[int, int, set[str], set[str]]] = []  # lines of a statement, names bound, names used
        self._used: dict[str, set[int]] = defaultdict(set)
        self._walk(ast.parse(source).body)

    def _walk(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            last = statement.end_lineno or statement.lineno
            if isinstance(statement, ast.FunctionDef):
                head = min([statement.lineno, *(each.lineno for each in statement.decorator_list)])
                self._bodies.append((head, statement.body[0].lineno, last))
                for node in ast.walk(statement):
                    for name in _names(node):
                        self._used[name].add(node.lineno)  # type: ignore[attr-defined]
            elif isinstance(statement, (ast.ClassDef, ast.If, ast.Try)):
                self._walk([each for each in ast.iter_child_nodes(statement) if isinstance(each, ast.stmt)])
            else:
                names = [(name, node) for node in ast.walk(statement) for name in _names(node)]
                made = {name for name, node in names if isinstance(getattr(node, "ctx", None), ast.Store)}
                self._made.append((statement.lineno, last, made, {name for name, _ in names} - made))

    def function_at(self, line: int) -> tuple[int, int] | None:
        """Return the first and last line of the body of the outermost function that `line` is in, or in the head of."""
        return next(((body, last) for head, body, last in self._bodies if head <= line <= last), None)

    def made_at(self, line: int) -> set[str]:
        """Return the names that the statement at `line`, outside of functions, binds."""
        return set().union(*(made for first, last, made, _ in self._made if first <= line <= last))

    def made_from(self, name: str) -> set[str]:
        """Return the names that statements outside of functions bind and that use `name`."""
        return set().union(*(made for _, _, made, used in self._made if name in used))

    def used_in_functions(self, name: str) -> set[int]:
        """Return the lines of functions that use `name`, as a name or an attribute."""
        return self._used.get(name, set())


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Name):
        return [node.id]
    return [node.attr] if isinstance(node, ast.Attribute) else []
