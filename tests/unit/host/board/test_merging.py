"""The firmware's modules as one module with short names: it does what the modules do, and its map leads back."""

from __future__ import annotations

import ast
import builtins
import re
import sys
import traceback
from types import ModuleType

import pytest

from ionto import shelf
from ionto_host.board import firmware_files, merging, tracebacks
from ionto_host.board.merging import FILE_NAME, Merged, merge

WORDS = tuple(f"w{number}" for number in range(200))
SHAPES = '''\
"""Shapes."""
from ionto import sizes
from ionto.sizes import double as twice
import math

_edges = [sizes.SIDE, twice(sizes.SIDE)]


class Square:
    corners = 4
    both = corners * 2

    def __init__(self, side=sizes.SIDE, *, label=""):
        self._side = side
        self.label = label

    def area(self):
        def scaled(factor):
            return factor * self._side
        return scaled(self._side)

    def sizes(self):
        sizes = [edge for edge in _edges if edge]
        return sizes, (lambda edge: edge + self._side)(1), {k: v for k, v in zip("ab", sizes)}


def fails(value):
    return value._missing
'''
SIZES = """\
import math

SIDE = 3
_edges = "another _edges"


def double(side):
    return 2 * side


def edges():
    return _edges, math.floor(2.5)
"""
USER = """\
from ionto import shapes, sizes

TYPE_CHECKING = 0
if TYPE_CHECKING:
    from ionto import nowhere


def run():
    square = shapes.Square(label="x")
    large = shapes.Square(side=5)
    return square.area(), large.area(), square.sizes(), sizes.edges(), square.label, shapes.Square.both, held(sizes)


def held(module):
    return module.double(4), getattr(large_of(module), "real")


def large_of(module):
    return module.SIDE


def broken():
    shapes.fails(
        1
    )
"""
CALLER = "from ionto import user\nuser.run()\nuser.broken()\n"
SOURCES = {"shapes": SHAPES, "sizes": SIZES, "user": USER}
EXPECTED = (9, 25, ([3, 6], 4, {"a": 3, "b": 6}), ("another _edges", 2), "x", 8, (8, 3))


@pytest.fixture
def merged() -> Merged:
    return merge(SOURCES, [CALLER], WORDS)


@pytest.fixture
def running(merged: Merged, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The merged module, imported as a board imports it."""
    package, loader = ModuleType("ionto"), ModuleType("ionto_pack")
    loader.__dict__["narrow"] = lambda: None
    monkeypatch.setitem(sys.modules, "ionto", package)
    monkeypatch.setitem(sys.modules, "ionto_pack", loader)
    exec(compile(merged.text, FILE_NAME, "exec"), package.__dict__)
    return package


def test_it_does_what_the_modules_do(running: ModuleType) -> None:
    assert running.user.run() == EXPECTED


def test_own_names_are_words_and_classes_stay(merged: Merged) -> None:
    said = {node.id for node in ast.walk(ast.parse(merged.text)) if isinstance(node, ast.Name)}
    said |= {node.attr for node in ast.walk(ast.parse(merged.text)) if isinstance(node, ast.Attribute)}
    assert not said & {"_edges", "_side", "twice", "area", "corners", "SIDE"}
    assert {"Square", "math", "floor"} < said | {"floor"}


def test_every_line_is_one_of_the_sources(merged: Merged) -> None:
    assert merged.text.count("\n") == sum(text.count("\n") for text in SOURCES.values()) + 1 + len({"sizes", "user"})
    firsts = {name: first for first, name in merged.map.files}
    lines = merged.text.splitlines()
    assert lines[firsts["shapes.py"] - 1] == '"""Shapes."""'
    assert "math" in lines[firsts["sizes.py"] - 1]


def test_a_traceback_names_file_line_and_function(merged: Merged, running: ModuleType) -> None:
    with pytest.raises(AttributeError) as caught:
        running.user.broken()
    told = tracebacks.translated("".join(traceback.format_exception(caught.value)), merged.map)
    assert re.search(r'File "user.py", line 23, in broken', told)
    assert 'File "shapes.py", line 28, in fails' in told
    assert "has no attribute '_missing'" in told


def test_a_method_is_named_with_its_class(merged: Merged) -> None:
    line = next(function for function in merged.map.functions if function.name == "Square.area").last
    told = tracebacks.translated(f'  File "ionto.py", line {line}, in w17\n', merged.map)
    assert told == '  File "shapes.py", line 20, in Square.area\n'
    assert "in <module>" in tracebacks.translated('  File "ionto.py", line 3, in <module>', merged.map)


def test_what_is_no_traceback_is_left_alone() -> None:
    assert tracebacks.readable("MPY: soft reboot\n") == "MPY: soft reboot\n"


# Parts: modules that lie in files of their own.

LATE = """\
import math
from ionto import sizes
from ionto.shapes import Square as Shape


def large(side):
    return Shape(side=side).area(), sizes.double(side), math.floor(1.5)


def breaks():
    return _missing_too._missing
"""
EARLY = """\
from ionto import shapes


def later(side):
    from ionto.late import breaks, large as huge
    try:
        breaks()
    except NameError:
        pass
    return huge(side)
"""
WITH_PART = {**SOURCES, "late": LATE, "early": EARLY}
EARLY_CALLER = CALLER + "from ionto import early\nearly.later(2)\n"
PARTS = {"ionto_more": ("late",)}


def test_a_part_is_imported_when_its_function_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """One naming over both texts: the part takes what it needs from the package, and the package from it."""
    whole = merge(WITH_PART, [EARLY_CALLER], WORDS, PARTS)
    package, loader = ModuleType("ionto"), ModuleType("ionto_pack")
    loader.__dict__["narrow"] = lambda: None
    monkeypatch.setitem(sys.modules, "ionto", package)
    monkeypatch.setitem(sys.modules, "ionto_pack", loader)
    exec(compile(whole.text, FILE_NAME, "exec"), package.__dict__)
    assert package.user.run() == EXPECTED
    with pytest.raises(ModuleNotFoundError, match="ionto_more"):
        package.early.later(3)
    more = ModuleType("ionto_more")
    exec(compile(whole.parts["ionto_more"].text, "ionto_more.py", "exec"), more.__dict__)
    monkeypatch.setitem(sys.modules, "ionto_more", more)
    assert package.early.later(3) == (9, 6, 1)
    assert "def large" not in whole.text + whole.parts["ionto_more"].text


def test_a_traceback_of_a_part_leads_back() -> None:
    whole = merge(WITH_PART, [EARLY_CALLER], WORDS, PARTS)
    line = next(function for function in whole.parts["ionto_more"].map.functions if function.name == "breaks").last
    told = tracebacks.translated(f'  File "ionto_more.py", line {line}, in w9\n', *whole.maps())
    assert told == '  File "late.py", line 11, in breaks\n'
    unknown = '  File "ionto_other.py", line 1, in f'
    assert tracebacks.translated(unknown, *whole.maps()) == unknown


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"user": "from ionto.late import large\n" + USER}, "user imports late of a part that may not be there"),
        (
            {"early": EARLY.replace("from ionto.late import breaks, large as huge", "from ionto import late")},
            "as a module",
        ),
    ],
)
def test_a_part_is_imported_by_name_in_a_function_only(change: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        merge({**WITH_PART, **change}, [EARLY_CALLER], WORDS, PARTS)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"sizes": "from ionto import user\n" + SIZES}, "in a circle"),
        ({"sizes": SIZES + "def f():\n    global SIDE\n    SIDE = 1\n"}, "`global`"),
        ({"user": USER + "sizes.SIDE = 1\n"}, "assigns to sizes.SIDE"),
        ({"user": USER + "print(sizes.nothing)\n"}, "has no nothing"),
        ({"user": USER + "def g():\n    Square = 1\n    return shapes.Square\n"}, "hidden by a variable"),
        ({"user": USER + "class Square: pass\n"}, "would both be Square"),
    ],
)
def test_what_cannot_be_merged_is_refused(change: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        merge({**SOURCES, **change}, [CALLER], WORDS)


def test_too_few_words_are_refused() -> None:
    with pytest.raises(ValueError, match="more names than"):
        merge(SOURCES, [CALLER], WORDS[:26])


def test_the_firmware_reads_back_by_its_map() -> None:
    """Every line of the real firmware leads to the line of its source that it was made of."""
    sources = firmware_files.installed()
    whole = firmware_files.merged(sources)
    for text in (whole, *whole.parts.values()):
        _reads_back(text, sources)


def _reads_back(whole: Merged, sources: firmware_files.Sources) -> None:
    lines = whole.text.splitlines()
    ends = [first for first, _ in whole.map.files[1:]]
    for (first, name), end in zip(whole.map.files, ends, strict=False):
        source = (sources.package / name).read_text().splitlines()
        assert end - first == len(source), name
        for ours, theirs in zip(source, lines[first - 1 :], strict=False):
            assert theirs.strip() in ("", "pass") or ours[:4].isspace() == theirs[:4].isspace()
    ast.parse(whole.text)


def test_the_firmware_says_nothing_that_it_does_not_define() -> None:
    """A name that was renamed in one place and not in another would be found only when its line runs."""
    whole = firmware_files.merged(firmware_files.installed())
    for text in (whole, *whole.parts.values()):
        _defines_what_it_says(ast.parse(text.text))


def _defines_what_it_says(tree: ast.Module) -> None:
    stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    stored |= {
        n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef, ast.ExceptHandler)) if n.name
    }
    stored |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    stored |= {
        a.asname or a.name for n in ast.walk(tree) if isinstance(n, (ast.Import, ast.ImportFrom)) for a in n.names
    }
    loaded = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    notes = [n.annotation for n in ast.walk(tree) if isinstance(n, (ast.arg, ast.AnnAssign)) and n.annotation]
    loaded -= {n.id for note in notes for n in ast.walk(note) if isinstance(n, ast.Name)}  # no code on a board
    assert not loaded - stored - set(dir(builtins))


def test_the_shelf_and_the_merge_know_the_same_parts() -> None:
    assert tuple(merging.PARTS) == shelf.PARTS
