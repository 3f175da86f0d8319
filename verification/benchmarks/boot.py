"""How the emulated board comes up: from reset to the first control step, and what each module's import costs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from verification.benchmarks.board import Board, at_prompt, firmware_files, guest
from verification.benchmarks.catalogue import Result
from verification.benchmarks.options import Options

_PACKAGE = "ionto"
_OURS = (f"{_PACKAGE}.", "ionto_pack.")
_HOST_CONDITIONS = ("TYPE_CHECKING", "CPYTHON")
_START_FILES = ("boot.py", "main.py")


def run(options: Options) -> Iterator[Result]:
    """Yield the rows of the group."""
    options.progress("boot: reset to ready")
    board = Board(options, firmware_files(options))
    board.until_ready()
    yield Result("first_ready_ms", board.timing.rises_us[0] / 1000)
    mark, reset_us = board.timing.mark(), board.chip.now_us
    board.chip.reset("run_pin")
    board.until_ready()
    yield Result("ready_ms", (board.timing.rises_us[mark] - reset_us) / 1000)
    options.progress("boot: import costs")
    rows = _import_costs(options)
    parts = {name: {"ms": time_us / 1000, "kept_bytes": kept} for name, time_us, kept in rows}
    yield Result("import_ms", sum(time_us for _, time_us, _ in rows) / 1000, parts=parts)
    yield Result("import_kib", sum(kept for *_, kept in rows) / 1024)


def _import_costs(options: Options) -> list[tuple[str, int, int]]:
    """Return (module, us, bytes kept) in the order of import."""
    repl = at_prompt(options, firmware_files(options))
    return ast.literal_eval(repl.execute(f"{guest('import_cost')}\nmain({import_order(options.firmware)!r})"))


def import_order(firmware: Path) -> list[str]:
    """Return the modules that boot.py and main.py import, at once or later, those that import nothing first."""
    order: list[str] = []
    for name in _START_FILES:
        _visit(firmware, firmware / name, order)
    return order


def _visit(firmware: Path, file: Path, order: list[str]) -> None:
    for module in _imports(ast.parse(file.read_text(encoding="utf-8"))):
        source_file = firmware / "lib" / Path(*module.split(".")).with_suffix(".py")
        if module not in order and source_file.is_file():
            _visit(firmware, source_file, order)
            if module not in order:
                order.append(module)


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yield the package's modules that `tree` imports on a board, in functions as well."""
    for node in ast.iter_child_nodes(tree):
        if _is_for_hosts(node):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if f"{alias.name}.".startswith(_OURS))
        elif isinstance(node, ast.ImportFrom) and node.module == _PACKAGE:
            yield from (f"{_PACKAGE}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(_OURS):
            yield str(node.module)
        else:
            yield from _imports(node)


def _is_for_hosts(node: ast.AST) -> bool:
    """Return True for `if TYPE_CHECKING:` and `if CPYTHON:`; what else they have holds nothing of the package."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id in _HOST_CONDITIONS
