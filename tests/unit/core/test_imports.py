"""Who may import whom in the firmware: one way, and each part of the application only what it may touch."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import ionto

FOLDER = Path(ionto.__file__).parent
MODULES = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.py")}
# What a part of the application imports of the modules that touch the world: flash, heap, pins, the host.
WORLD = {
    *("gc", "os", "io", "json", "struct", "hashlib", "machine", "select"),
    *("filecheck", "files", "frames", "usblink", "serialport"),
}
MAY_TOUCH: dict[str, set[str]] = {
    "loop": set(),
    "panel": set(),
    "parts": set(),
    "desk": {"filecheck"},
    "keeper": {"gc", "os", "filecheck"},
    "oldlogs": {"os"},
    "identity": set(),
    "commands": {"json", "struct", "frames", "usblink"},
    "requests": {"gc", "json", "os", "struct", "usblink"},
    "app": {"gc"},
}


def imported(tree: ast.Module) -> set[str]:
    """Return the modules that `tree` imports anywhere, for its types too; those of the package without its name."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and node.module == "ionto"):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).removeprefix("ionto."))
    return found


def test_no_module_is_imported_by_what_it_imports() -> None:
    """TopologicalSorter raises CycleError, with the circle, for one; what is imported for types counts."""
    graph = {name: imported(tree) & set(MODULES) for name, tree in MODULES.items()}
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("parts") < order.index("keeper") < order.index("desk") < order.index("loop") < order.index("app")


@pytest.mark.parametrize("part", MAY_TOUCH)
def test_a_part_of_the_application_touches_only_what_it_may(part: str) -> None:
    running = [node for node in MODULES[part].body if not isinstance(node, ast.If)]  # without `if TYPE_CHECKING`
    assert imported(ast.Module(running, [])) & WORLD == MAY_TOUCH[part]


def test_one_module_knows_the_chip() -> None:
    assert [name for name, tree in sorted(MODULES.items()) if "machine" in imported(tree)] == ["hal_rp2"]
