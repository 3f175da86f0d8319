"""KiCad itself on the schematic. Without kicad-cli these tests fail and say what to install; they never skip."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hardware.drawing import project, writer
from hardware.drawing.page import PROJECT, Page
from hardware.exports import files, kicad
from hardware.folders import SCHEMATICS
from hardware.wiring.checks import run
from ionto_sim.spice.netlist import from_text


def test_electrical_rules() -> None:
    assert kicad.erc() == ""


def test_no_rule_is_switched_off() -> None:
    erc = json.loads((SCHEMATICS / f"{PROJECT}.kicad_pro").read_text(encoding="utf-8"))["erc"]
    assert erc["erc_exclusions"] == []
    assert len(erc["rule_severities"]) > 40
    assert set(erc["rule_severities"].values()) == {"error"}


def test_committed_exports_are_current() -> None:
    assert files.stale() == []


def write_with(folder: Path, name: str, mistake: Callable[[Page], None]) -> Path:
    """Write the project with a mistake made on the sheet `name`; return its root sheet."""
    top, *children = project.pages()
    mistake(next(child for child in children if child.name == name))
    writer.write_library(folder)
    writer.write_project(folder, top)
    for page in (top, *children):
        writer.write_page(folder, page, top)
    return folder / top.file


def ground_the_feedback(page: Page) -> None:
    page.labels = [label for label in page.labels if label[1] != "FEEDBACK"]
    page.rail("GND", (48, 82))


def swap_the_inputs(page: Page) -> None:
    amplifier = next(part for part in page.placed if part.reference == "U4" and part.unit == 1)
    plus, minus = amplifier["3"], amplifier["2"]
    page.wires = [wire for wire in page.wires if plus not in wire and minus not in wire]
    page.wire((24, 58), (50, 58), (50, 62), minus)
    page.wire((48, 62), (48, 56), (52, 56), (52, 58), plus)


@pytest.mark.parametrize("mistake", [ground_the_feedback, swap_the_inputs])
def test_rules_pass_what_the_checks_find(tmp_path: Path, mistake: Callable[[Page], None]) -> None:
    root = write_with(tmp_path, "sink", mistake)
    assert kicad.erc(root) == ""
    assert "amplifier" in {finding.check for finding in run(from_text(files.netlist_text(root)))}


def test_rules_find_missing_wires(tmp_path: Path) -> None:
    assert "pin_not_connected" in kicad.erc(write_with(tmp_path, "set_point", lambda page: page.wires.clear()))


def test_without_kicad_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(kicad.KicadError, match="make hardware"):
        kicad.erc()
