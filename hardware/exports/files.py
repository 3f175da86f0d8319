"""The files made from the schematic: netlist, PDF, one SVG a sheet, bill of materials.

What is written holds no date of the day and no path of the machine.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from hardware.exports import bom
from hardware.exports.kicad import kicad
from hardware.folders import EXPORTS, NETLIST, ROOT_SHEET
from ionto_sim.spice import netlist

BOM = EXPORTS / "bom.csv"
_PDF_DATE = re.compile(rb"/CreationDate \(D:[^)]*\)")
_PAPER = "#F5F4EF"  # of KiCad's default colours
_SVG_TITLE = re.compile(r"<title>.*?</title>", re.DOTALL)


def netlist_text(root_sheet: Path = ROOT_SHEET) -> str:
    """Return the netlist of a schematic without date, version of the tool and paths."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "iontopico.net"
        kicad("sch", "export", "netlist", "--format", "kicadsexpr", "--output", str(path), str(root_sheet))
        return neutral(path.read_text(encoding="utf-8"))


def neutral(text: str) -> str:
    """Return a netlist's text without the date of the day, the version of the tool and the paths of the machine."""
    text = re.sub(r'\(source "[^"]*?([^"/\\]*)"\)', r'(source "\1")', text)
    text = re.sub(r'\n {4}\(date "[^"]*"\)', "", text)
    text = re.sub(r'\(tool "[^"]*"\)', '(tool "Eeschema")', text)
    text = re.sub(r'\(uri "[^"]*?([^"/\\]*)"\)', r'(uri "${KIPRJMOD}/\1")', text)
    return text.rstrip("\n") + "\n"


def write() -> list[Path]:
    """Write every export and return the paths."""
    EXPORTS.mkdir(exist_ok=True)
    NETLIST.write_text(netlist_text(), encoding="utf-8")
    BOM.write_text(bom.text(netlist.read()), encoding="utf-8")
    return [NETLIST, BOM, _write_pdf(), *_write_pictures()]


def _write_pdf() -> Path:
    path = EXPORTS / "iontopico.pdf"
    kicad("sch", "export", "pdf", "--no-background-color", "--output", str(path), str(ROOT_SHEET))
    content = path.read_bytes()
    fixed = _PDF_DATE.sub(
        lambda match: b"/CreationDate (D:20000101000000".ljust(len(match[0]) - 1, b"0") + b")", content
    )
    path.write_bytes(fixed)
    return path


def _write_pictures() -> list[Path]:
    for old in EXPORTS.glob("*.svg"):
        old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        kicad("sch", "export", "svg", "--output", folder, str(ROOT_SHEET))
        made = sorted(Path(folder).glob("*.svg"))
        return [_write_picture(path) for path in made]


def _write_picture(source: Path) -> Path:
    """Write one sheet's SVG on white paper, named after the sheet, small letters and hyphens only."""
    sheet = source.stem.removeprefix("iontopico").strip("-") or "overview"
    name = re.sub(r"[^a-z0-9]+", "-", sheet.lower()).strip("-")
    text = source.read_text(encoding="utf-8")
    text = _SVG_TITLE.sub(f"<title>IontoPico: {sheet}</title>", text)
    text = re.sub(r"<desc>.*?</desc>", "", text, flags=re.DOTALL).replace(_PAPER, "#FFFFFF")
    path = EXPORTS / f"{name}.svg"
    path.write_text(slim(text), encoding="utf-8")
    return path


def slim(svg: str) -> str:
    """Return KiCad's SVG a third as long: letters as one path each, hundredths of a millimetre."""
    svg = re.sub(r"-?\d+\.\d{3,}", lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), svg)
    svg = re.sub(r'<g class="stroked-text">.*?</g>', lambda match: _one_path(match[0]), svg, flags=re.DOTALL)
    return re.sub(r"\s*\n\s*", "\n", svg)


def _one_path(group: str) -> str:
    """Return a group of strokes as one path; a stroke that begins where the last one ended goes on with it."""
    path, pen = "", ""
    for stroke in re.findall(r'd="M([^"]*?)"', group):
        start, *rest = [point.strip() for point in stroke.split("L")]
        path += "".join(f"L{point}" for point in rest) if start == pen else "M" + "L".join([start, *rest])
        pen = rest[-1] if rest else start
    return f'<g class="stroked-text"><path d="{path}"/></g>'


def stale() -> list[str]:
    """Return what of the committed exports differs from the schematic; nothing when they are current."""
    found = []
    committed = NETLIST.read_text(encoding="utf-8") if NETLIST.exists() else ""
    if committed != netlist_text():
        found.append("iontopico.net is not the netlist of the schematic; run python -m hardware.exports")
    if not BOM.exists() or BOM.read_text(encoding="utf-8") != bom.text(netlist.read()):
        found.append("bom.csv is not the list of iontopico.net; run python -m hardware.exports")
    return found
