"""Folding of constants: what runs on a board is what the sources say, with the numbers in place of the names."""

from __future__ import annotations

import ast

import pytest

from ionto_host.board import firmware_files
from ionto_host.device.constants import Constants

NUMBERS = """\
from ionto.compat import const

A = const(7)
_B = const(A + 1)
C = const(
    -A
)
D = const(A + A)
WORD = "w"


def f():
    return A, _B
"""
USER = """\
from ionto import numbers
from ionto.numbers import A, WORD


def g(x):
    return numbers.C + A + x.A, numbers.WORD, WORD
"""


def folded(**sources: str) -> dict[str, str]:
    constants = Constants(sources)
    return {name: constants.fold(name) for name in constants}


def test_numbers_stand_where_names_stood() -> None:
    out = folded(numbers=NUMBERS, user=USER)
    assert "return (-7) + 7 + x.A, numbers.WORD, WORD" in out["user"]
    assert "from ionto.numbers import WORD\n" in out["user"]
    assert "return 7, 8" in out["numbers"]
    assert "\nD = const" not in out["numbers"]
    assert "const(" not in out["numbers"]


TABLES = """\
STATES = ("IDLE", "HOLD")
STATUS_FIELDS = (
    ("state", "B"),
    ("charge_uc", "I"),
)
WORDS = ("idle", "hold")
SIZES = [code for _, code in STATUS_FIELDS]
"""


def test_words_that_only_the_host_reads_are_left_out() -> None:
    out = folded(tables=TABLES)["tables"]
    assert out.count("\n") == TABLES.count("\n")
    found: dict[str, object] = {}
    exec(out, found)
    assert "STATES" not in found and found["WORDS"] == ("idle", "hold")
    assert (found["STATUS_FIELDS"], found["SIZES"]) == ((("", "B"), ("", "I")), ["B", "I"])


def test_a_board_that_uses_a_table_of_the_host_is_refused() -> None:
    with pytest.raises(ValueError, match="STATES is a table of the host"):
        folded(tables=TABLES, user="from ionto import tables\n\n\ndef name(n):\n    return tables.STATES[n]\n")


def test_definitions_of_folded_names_are_gone() -> None:
    names = {
        target.id
        for node in ast.parse(folded(numbers=NUMBERS)["numbers"]).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert names == {"WORD"}


def test_lines_keep_their_numbers() -> None:
    """A traceback from a board names the line of the source."""
    for name, source in folded(numbers=NUMBERS, user=USER).items():
        assert source.count("\n") == {"numbers": NUMBERS, "user": USER}[name].count("\n")


def test_an_import_of_constants_alone_leaves_nothing_behind() -> None:
    out = folded(numbers=NUMBERS, user="from ionto.numbers import A as SEVEN\nx = SEVEN\n")
    assert out["user"] == "pass\nx = 7\n"


def test_a_module_that_looks_at_its_names_keeps_them() -> None:
    out = folded(numbers=NUMBERS + "\n\ndef names():\n    return globals()\n")
    assert "A = const(7)" in out["numbers"]


def test_a_parameter_of_the_same_name_is_refused() -> None:
    with pytest.raises(ValueError, match="A is a constant and a parameter"):
        folded(numbers=NUMBERS, user="from ionto.numbers import A\n\n\ndef f(A):\n    return A\n")


def test_a_name_bound_again_is_refused() -> None:
    with pytest.raises(ValueError, match="A is a constant and assigned"):
        folded(numbers=NUMBERS, user="from ionto.numbers import A\n\n\ndef f():\n    A = 1\n    return A\n")


def test_no_public_constant_of_the_firmware_is_left() -> None:
    """The whole package: after folding, no name that mpy-cross would keep stands for a number."""
    package = firmware_files.installed().package
    sources = {path.stem: path.read_text() for path in package.glob("*.py") if path.stem != "cpython"}
    for name, source in folded(**sources).items():
        assert not [line for line in source.splitlines() if line[:1].isupper() and "= const(" in line], name
        assert source.count("\n") == sources[name].count("\n")
