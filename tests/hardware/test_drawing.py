"""The drawing: nothing on top of anything else, the committed files are what the generator writes."""

from pathlib import Path

import pytest

from hardware.drawing import lint, project
from hardware.drawing.page import Page
from hardware.drawing.sexpr import Atom, text
from hardware.folders import SCHEMATICS
from ionto_sim.spice.netlist import parse

PAGES = project.pages()


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_nothing_lies_on_anything(page: Page) -> None:
    assert lint.collisions(page) == []


def test_generator_writes_the_committed_files(tmp_path: Path) -> None:
    project.write(tmp_path)
    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert {path.name for path in SCHEMATICS.glob("*.kicad_sch")} == {
        name for name in made if name.endswith(".kicad_sch")
    }
    assert [name for name in made if made[name] != (SCHEMATICS / name).read_text(encoding="utf-8")] == []


def test_no_uuid_is_used_twice() -> None:
    seen: list[str] = []
    for path in SCHEMATICS.glob("*.kicad_sch"):
        stack = [parse(path.read_text(encoding="utf-8"))]
        while stack:
            node = stack.pop()
            if isinstance(node, list):
                stack += node
                if node and node[0] == "uuid":
                    seen.append(str(node[1]))
    assert len(seen) == len(set(seen)) > 500


def page_with(*, label_at: tuple[float, float]) -> Page:
    page = Page("test", "Test", 9)
    part = page.add("R1", 50, 50)
    page.supply("3V3", part["1"])
    page.ground(part["2"])
    page.label("X", label_at)
    return page


def test_lint_finds_text_on_a_symbol_and_text_on_text() -> None:
    assert lint.collisions(page_with(label_at=(30, 30))) == []
    assert any("body of R1" in found for found in lint.collisions(page_with(label_at=(49.5, 51))))
    assert any("'1k'" in found for found in lint.collisions(page_with(label_at=(52.5, 51.5))))


def test_lint_finds_a_wire_through_a_symbol() -> None:
    page = page_with(label_at=(30, 30))
    page.wire((45, 50), (55, 50))
    assert any("body of R1 meets wire" in found for found in lint.collisions(page))


def test_lint_finds_what_leaves_the_sheet() -> None:
    page = page_with(label_at=(232, 30))
    assert any("leaves the sheet" in found for found in lint.collisions(page))


def test_junctions_are_where_three_ends_meet() -> None:
    page = Page("test", "Test", 9)
    page.wire((10, 10), (20, 10))
    page.wire((15, 10), (15, 20))
    page.wire((12, 5), (12, 15))
    assert page.junctions() == [(15, 10)]
    assert ((10, 10), (15, 10)) in page.pieces()
    assert ((12, 5), (12, 15)) in page.pieces()


def test_a_slanted_wire_is_refused() -> None:
    with pytest.raises(ValueError, match="neither horizontal nor vertical"):
        Page("test", "Test", 9).wire((0, 0), (1, 1))


def test_s_expressions() -> None:
    assert text(["at", 1.0, 2.5, True, Atom("left"), 'a "b"\n']) == '(at 1 2.5 yes left "a \\"b\\"\\n")'
    assert text(["a", ["b", 1]]) == "(a\n\t(b 1)\n)"
