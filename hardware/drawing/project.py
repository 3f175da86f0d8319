"""The whole schematic: which sheets there are, and writing them."""

from __future__ import annotations

from pathlib import Path

from . import writer
from .page import PROJECT, Page
from .pages import output, pico, power, root, safety, set_point, sink, user

_COMMENTS = ("Bench, teaching and research. Not a medical device.", "Electrodes are not isolated.")
_CHILDREN = (
    ("power", "Power and 24 V", power.build),
    ("pico", "Pico", pico.build),
    ("set_point", "Set-point", set_point.build),
    ("sink", "Sink and sensing", sink.build),
    ("safety", "High side and cut-offs", safety.build),
    ("output", "Output and polarity", output.build),
    ("user", "Lights, buttons, straps", user.build),
)


def pages() -> list[Page]:
    """Return every sheet, drawn, the root first."""
    children = {}
    for number, (name, title, build) in enumerate(_CHILDREN, 2):
        children[name] = Page(name, title, number, comments=_COMMENTS)
        build(children[name])
    top = Page(PROJECT, "Overview", 1, "A3", _COMMENTS)
    root.build(top, children)
    return [top, *children.values()]


def write(folder: Path) -> None:
    """Write the KiCad project into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    top, *children = pages()
    writer.write_library(folder)
    writer.write_project(folder, top)
    for page in (top, *children):
        writer.write_page(folder, page, top)
