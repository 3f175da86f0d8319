"""Pages and symbols as KiCad files."""

from __future__ import annotations

import json
from pathlib import Path

from . import symbols
from .page import (
    DATE,
    LIBRARY,
    PROJECT,
    REVISION,
    Page,
    Placed,
    Point,
    SheetBox,
    at,
    note_effects,
    stable_uuid,
    text_effects,
)
from .sexpr import Atom, Node, text
from .shapes import TEXT_MM, mm

_SCHEMATIC_VERSION = 20250114
_LIBRARY_VERSION = 20241209
_GENERATOR = "iontopico"
# Of the rules check: all of them, also those that KiCad leaves off by itself.
_RULES = (
    "bus_definition_conflict", "bus_entry_needed", "bus_to_bus_conflict", "bus_to_net_conflict",
    "conflicting_netclasses", "different_unit_footprint", "different_unit_net", "duplicate_reference",
    "duplicate_sheet_names", "endpoint_off_grid", "extra_units", "footprint_filter", "footprint_link_issues",
    "four_way_junction", "global_label_dangling", "ground_pin_not_ground", "hier_label_mismatch",
    "isolated_pin_label", "label_dangling", "label_multiple_wires", "lib_symbol_issues", "lib_symbol_mismatch",
    "missing_bidi_pin", "missing_input_pin", "missing_power_pin", "missing_unit", "multiple_net_names",
    "net_not_bus_member", "no_connect_connected", "no_connect_dangling", "pin_not_connected", "pin_not_driven",
    "pin_to_pin", "power_pin_not_driven", "same_local_global_label", "similar_label_and_power",
    "similar_labels", "similar_power", "simulation_model_issue", "single_global_label", "stacked_pin_name",
    "unannotated", "unconnected_wire_endpoint", "undefined_netclass", "unit_value_mismatch",
    "unresolved_variable", "wire_dangling",
)  # fmt: skip


def write_library(folder: Path) -> None:
    """Write the symbol library and the table that names it."""
    library: list[Node] = ["kicad_symbol_lib", ["version", _LIBRARY_VERSION], ["generator", _GENERATOR]]
    library += [["generator_version", "9.0"], *[symbol.node() for symbol in symbols.ALL]]
    (folder / f"{LIBRARY}.kicad_sym").write_text(text(library) + "\n", encoding="utf-8")
    row: list[Node] = ["lib", ["name", LIBRARY], ["type", "KiCad"], ["uri", f"${{KIPRJMOD}}/{LIBRARY}.kicad_sym"]]
    row += [["options", ""], ["descr", "Symbols of this board"]]
    (folder / "sym-lib-table").write_text(text(["sym_lib_table", ["version", 7], row]) + "\n", encoding="utf-8")


def write_project(folder: Path, root: Page) -> None:
    """Write the project file: every rule of the rules check is an error, none excluded."""
    sheets = [[stable_uuid(root.name), "Root"], *[[_box_uuid(box), box.page.title] for box in root.boxes]]
    project = {
        "board": {"design_settings": {"defaults": {}, "rules": {}}},
        "erc": {"erc_exclusions": [], "meta": {"version": 0}, "rule_severities": dict.fromkeys(_RULES, "error")},
        "meta": {"filename": f"{PROJECT}.kicad_pro", "version": 3},
        "net_settings": {"classes": [], "meta": {"version": 4}},
        "schematic": {"drawing": {"default_text_size": 50.0, "text_offset_ratio": 0.15}, "page_layout_descr_file": ""},
        "sheets": sheets,
        "text_variables": {},
    }
    (folder / f"{PROJECT}.kicad_pro").write_text(json.dumps(project, indent=2) + "\n", encoding="utf-8")


def write_page(folder: Path, page: Page, root: Page) -> None:
    """Write one sheet; `root` tells its place in the hierarchy."""
    path = f"/{stable_uuid(root.name)}"
    for box in root.boxes:
        if box.page is page:
            path += f"/{_box_uuid(box)}"
    (folder / page.file).write_text(text(_sheet(page, path)) + "\n", encoding="utf-8")


def _box_uuid(box: SheetBox) -> str:
    return stable_uuid("sheet", box.page.name)


def _sheet(page: Page, path: str) -> list[Node]:
    node: list[Node] = ["kicad_sch", ["version", _SCHEMATIC_VERSION], ["generator", _GENERATOR]]
    node += [["generator_version", "9.0"], ["uuid", stable_uuid(page.name)], ["paper", page.paper], _title(page)]
    used = sorted({item.symbol.name for item in page.placed})
    node.append(["lib_symbols", *[symbols.BY_NAME[name].node(LIBRARY) for name in used]])
    node += [_frame(page, index) for index in range(len(page.frames))]
    node += [_note(page, index) for index in range(len(page.notes))]
    node += [
        ["junction", at(point, None), ["diameter", 0], ["color", 0, 0, 0, 0], _id(page, "junction", point)]
        for point in page.junctions()
    ]
    node += [["no_connect", at(point, None), _id(page, "open", point)] for point in page.open_pins]
    node += [_wire(page, *piece) for piece in page.pieces()]
    node += [_label(page, index) for index in range(len(page.labels))]
    node += [_instance(page, item, path) for item in page.placed]
    node += [_box(page, box, path) for box in page.boxes]
    if page.boxes:
        node.append(["sheet_instances", ["path", "/", ["page", str(page.number)]]])
    node.append(["embedded_fonts", False])
    return node


def _id(page: Page, *parts: object) -> list[Node]:
    return ["uuid", stable_uuid(page.name, *parts)]


def _title(page: Page) -> list[Node]:
    lines: list[Node] = [["comment", number, line] for number, line in enumerate(page.comments, 1)]
    return ["title_block", ["title", page.title], ["date", DATE], ["rev", REVISION], ["company", "IontoPico"], *lines]


def _frame(page: Page, index: int) -> list[Node]:
    x1, y1, x2, y2 = page.frames[index]
    stroke: list[Node] = ["stroke", ["width", 0.15], ["type", Atom("dash")], ["color", 120, 120, 120, 1]]
    ends: list[Node] = [["start", mm(x1), mm(y1)], ["end", mm(x2), mm(y2)]]
    return ["rectangle", *ends, stroke, ["fill", ["type", Atom("none")]], _id(page, "frame", index)]


def _note(page: Page, index: int) -> list[Node]:
    content, place, size, bold = page.notes[index]
    head: list[Node] = ["text", content, ["exclude_from_sim", False], at(place)]
    return [*head, note_effects(size, bold), _id(page, "note", index)]


def _wire(page: Page, start: Point, end: Point) -> list[Node]:
    points: list[Node] = ["pts", ["xy", mm(start[0]), mm(start[1])], ["xy", mm(end[0]), mm(end[1])]]
    stroke: list[Node] = ["stroke", ["width", 0], ["type", Atom("default")]]
    return ["wire", points, stroke, _id(page, "wire", start, end)]


def _label(page: Page, index: int) -> list[Node]:
    kind, net, place, side, shape = page.labels[index]
    node: list[Node] = [kind, net]
    if shape:
        node.append(["shape", Atom(shape)])
    bottom = "" if shape else " bottom"
    justify = f"{'left' if side == 'right' else 'right'}{bottom}"
    return [
        *node,
        at(place, 0 if side == "right" else 180),
        text_effects(TEXT_MM, justify),
        _id(page, kind, net, place),
    ]


def _instance(page: Page, item: Placed, path: str) -> list[Node]:
    key = ("part", item.reference, item.unit)
    node: list[Node] = ["symbol", ["lib_id", f"{LIBRARY}:{item.symbol.name}"], at((item.x, item.y), item.turn)]
    if item.mirror:
        node.append(["mirror", Atom("y")])
    in_bom = item.symbol.in_bom and (item.part is None or item.part.in_bom)
    node += [["unit", item.unit], ["exclude_from_sim", False], ["in_bom", in_bom], ["on_board", True]]
    node += [["dnp", bool(item.part and item.part.only_b)], _id(page, *key)]
    node += [_property(item, *row) for row in item.texts()]
    node += [["pin", pin.number, _id(page, *key, pin.number)] for unit in item.symbol.units for pin in unit.pins]
    where: list[Node] = ["path", path, ["reference", item.reference], ["unit", item.unit]]
    return [*node, ["instances", ["project", PROJECT, where]]]


def _property(item: Placed, key: str, value: str, place: tuple[float, float], justify: str, hidden: bool) -> list[Node]:
    angle = 90 if item.turn in (90, 270) else 0
    if (item.mirror or item.turn == 90) and justify:
        justify = "left" if justify == "right" else "right"
    node: list[Node] = ["property", key, value, at(place, angle)]
    if key == "Value_B" and not hidden:
        node.append(["show_name", True])
    return [*node, text_effects(TEXT_MM, justify, hide=hidden)]


def _box(page: Page, box: SheetBox, path: str) -> list[Node]:
    child = box.page
    node: list[Node] = ["sheet", at((box.x, box.y), None), ["size", mm(box.width), mm(box.height)]]
    node += [["exclude_from_sim", False], ["in_bom", True], ["on_board", True], ["dnp", False]]
    node += [["stroke", ["width", 0.25], ["type", Atom("solid")]], ["fill", ["color", 255, 253, 235, 1]]]
    node.append(["uuid", _box_uuid(box)])
    node.append(
        ["property", "Sheetname", child.title, at((box.x, box.y - 0.6)), text_effects(1.6, "left bottom", bold=True)]
    )
    below = (box.x, box.y + box.height + 0.6)
    node.append(["property", "Sheetfile", child.file, at(below), text_effects(1.0, "left top")])
    for name, shape, side, _ in box.pins:
        angle, justify = (180, "left") if side == "left" else (0, "right")
        place = at(box[name], angle)
        pin = ["pin", name, Atom(shape), place, _id(page, "sheetpin", child.name, name), text_effects(TEXT_MM, justify)]
        node.append(pin)
    where: list[Node] = ["path", path, ["page", str(child.number)]]
    return [*node, ["instances", ["project", PROJECT, where]]]
