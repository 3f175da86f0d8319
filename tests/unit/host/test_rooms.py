"""Which room of the host tool may import which, and that no two modules import each other in a circle.

Every import counts: at the top of a module, inside a function, and under TYPE_CHECKING.
"""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import ionto_host

ROOT = Path(__file__).parents[3]
HOST = ROOT / "host"
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "examples").glob("*.py"))

# From the ground up: a room imports from floors below its own.
FLOORS: tuple[frozenset[str], ...] = tuple(
    frozenset(floor.split())
    for floor in (
        "ground",
        "ionto_sim library",
        "transport",
        "device",
        "board dose logs",
        "monitor doctor course bench",
        "cli",
    )
)
# Beside those, on the same floor: (who, whom).
SIDEWAYS = {
    ("dose", "logs"),  # what was asked before a dose is kept beside the pulled logs
    ("bench", "doctor"),  # what a check of the wiring finds is a finding
}
# Modules of no room. patience, tables and uf2 are no more than they say, and the simulator needs them too.
GROUND = set("errors units config notice pages wholefile outfile patience tables uf2".split())
# Public paths of old (docs/api.md) that name one module of a room. For users: nothing in here imports them.
FACES = {"calibrating", "hand", "meters", "monitor_history"}
FLOOR_OF = {room: level for level, floor in enumerate(FLOORS) for room in floor}


# Every module of both packages by its dotted name; a package by its own.
MODULES = {
    ".".join(path.relative_to(HOST).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(HOST.glob("ionto_*/**/*.py"))
}


def imports(name: str, source: str) -> set[str]:
    """Return the modules of both packages that `source`, the text of the module `name`, imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            where = _absolute(name, node)
            inside = {f"{where}.{alias.name}" for alias in node.names}
            found |= inside if inside <= MODULES.keys() else inside | {where}
    return found & MODULES.keys()


def _absolute(name: str, node: ast.ImportFrom) -> str:
    """Return where `node` imports from, dots at its beginning resolved."""
    if not node.level:
        return node.module or ""
    parts = name.split(".")
    up = node.level - (MODULES[name].name == "__init__.py")
    return ".".join([*parts[: len(parts) - up], *(node.module or "").split(".")]).rstrip(".")


ARROWS = {name: sorted(imports(name, path.read_text(encoding="utf-8"))) for name, path in MODULES.items()}


def room(name: str) -> str:
    """Return the room of the module `name`, "" for the package itself and for FACES."""
    package, _, rest = name.partition(".")
    if package == "ionto_sim":
        return package
    first = rest.partition(".")[0]
    if first in GROUND:
        return "ground"
    return "" if first in FACES else "cli" if first == "__main__" else first


def test_every_folder_and_module_has_its_place() -> None:
    """A new folder, or a new module on the ground, is put into the table first."""
    top = HOST / "ionto_host"
    folders = {path.name for path in top.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set().union(*FLOORS) - {"ground", "ionto_sim"}
    assert {path.stem for path in top.glob("*.py")} == GROUND | FACES | {"__init__", "__main__"}


@pytest.mark.parametrize("name", [name for name in MODULES if room(name)])
def test_a_room_imports_only_from_below(name: str) -> None:
    mine = room(name)
    up = [
        other
        for other in ARROWS[name]
        if room(other) and room(other) != mine
        if (mine, room(other)) not in SIDEWAYS and FLOOR_OF[room(other)] >= FLOOR_OF[mine]
    ]
    assert not up, f"{name} is in {mine} and imports {', '.join(up)}"


def test_public_paths_are_for_users() -> None:
    faces = {"ionto_host", *(f"ionto_host.{name}" for name in FACES)}
    assert not {name: drawn for name, others in ARROWS.items() if (drawn := faces & set(others))}


@pytest.mark.parametrize("name", list(ionto_host._PUBLIC))
def test_public_modules_are_there(name: str) -> None:
    assert getattr(ionto_host, name).__name__ == f"ionto_host.{ionto_host._PUBLIC[name]}"
    assert name in API or name in EXAMPLES


def test_a_name_that_is_not_there() -> None:
    assert not hasattr(ionto_host, "nonsense")


def test_no_arrow_sideways_is_left_over() -> None:
    """One that nobody needs any more is taken out of the table; two rooms never import each other."""
    drawn = {(room(name), room(other)) for name, others in ARROWS.items() for other in others}
    assert drawn >= SIDEWAYS
    assert not {(whom, who) for who, whom in SIDEWAYS} & drawn


def circle(arrows: dict[str, list[str]]) -> list[str]:
    """Return a circle of modules in the order of their imports, [] when there is none."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def test_no_circle() -> None:
    assert not circle(ARROWS)
    assert circle({"a": ["b"], "b": ["c"], "c": ["a"]})  # that would be seen


def test_imports_of_every_kind_are_seen() -> None:
    """Inside a function, under TYPE_CHECKING, of a module or of a name in it, and relative."""
    source = """if True:
        import ionto_host.errors
        from ionto_host import units
        from ionto_host.device.client import Device
        from . import patches
        def later():
            from .chip import Chip
        if TYPE_CHECKING:
            from ionto_host.logs import store as logstore
    """
    assert imports("ionto_sim.emulator.line", source) == {
        "ionto_host.errors",
        "ionto_host.units",
        "ionto_host.device.client",
        "ionto_sim.emulator.chip",
        "ionto_sim.emulator.patches",
        "ionto_host.logs.store",
    }
