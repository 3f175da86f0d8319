"""The rooms of hardware/: which one may use which, and that every tool is in one of them."""

import ast
from pathlib import Path

import pytest

HARDWARE = Path(__file__).parents[2] / "hardware"
WHOLE = "hardware"  # what `python -m hardware` does with all of them
ROOMS: dict[str, set[str]] = {
    "wiring": set(),
    "drawing": {"folders", "wiring"},
    "breadboard": {"folders"},
    "exports": {"folders"},
    "spice": set(),
    WHOLE: {"exports", "folders", "report", "spice"},
}
DATA = {"pictures", "schematics"}


def imported(path: Path) -> set[str]:
    """Return what a tool imports of hardware/ outside its own room: rooms and the modules on the ground."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[1] for alias in node.names if alias.name.startswith("hardware."))
        elif isinstance(node, ast.ImportFrom) and node.module == "hardware":
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("hardware."):
            found.add(str(node.module).split(".")[1])
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_uses_only_what_it_may(room: str) -> None:
    paths = list(HARDWARE.glob("*.py") if room == WHOLE else (HARDWARE / room).rglob("*.py"))
    assert len(paths) > 1
    assert set().union(*map(imported, paths)) - {room} == ROOMS[room]


def test_every_room_is_named_here_and_in_the_readme() -> None:
    folders = {path.name for path in HARDWARE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == (set(ROOMS) - {WHOLE}) | DATA
    text = (HARDWARE / "README.md").read_text(encoding="utf-8")
    assert [room for room in folders - {"pictures"} if f"| `{room}/` |" not in text and f"[{room}/]" not in text] == []
