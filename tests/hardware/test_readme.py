"""hardware/README.md: its links lead somewhere, the parts it names exist and have the values it gives them."""

import re
from pathlib import Path

import pytest

from hardware.wiring.checks import CHECKS
from ionto_sim.spice.netlist import read

PAGE = Path(__file__).resolve().parents[2] / "hardware" / "README.md"
TEXT = PAGE.read_text(encoding="utf-8")
BOARD = read()
VALUES = {
    "R9": "191", "R10": "35.7", "R11": "10", "R12": "121", "R51": "121", "R13": "28.0", "R2": "4.7k", "R17": "750k",
    "R48": "750k", "R14": "442k", "R49": "442k", "R15": "100k", "R50": "100k", "R18": "47k", "R19": "220k", "R55": "10",
    "R56": "3.32", "R57": "100k", "R59": "2.7k", "C1": "100n", "C2": "100n", "C4": "47n", "C23": "47n", "C5": "150n",
    "D3": "27V", "C22": "1u", "R44": "4.7k", "R45": "180k", "R46": "180k", "R64": "100k",
}  # fmt: skip


def test_links_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", TEXT) if "://" not in link]
    assert len(links) >= 10
    assert [link for link in links if not (PAGE.parent / link).exists()] == []


def test_every_part_it_names_is_on_the_board() -> None:
    named = set(re.findall(r"\b(?:R|C|D|Q|U|L|K|SW|BZ|JP|J|TP|F|BT)\d+\b", TEXT))
    assert len(named) > 30
    assert sorted(named - set(BOARD.components)) == []


@pytest.mark.parametrize(("reference", "value"), VALUES.items())
def test_values_are_the_drawing_s(reference: str, value: str) -> None:
    assert BOARD.components[reference].value == value


@pytest.mark.parametrize(
    "words",
    [
        "R2, 4.7k",
        "R9 191 ohm",
        "R10 35.7 ohm",
        "R11 10 ohm",
        "R12 121 ohm",
        "R13 28 ohm",
        "C4 C23 47n, C5 150n, R17 R48 750k",
        "R14 R49 442k beside each other, R15 R50 100k in a row",
        "R18 47k, R19 220k",
        "D3, 27 V",
        "C22 1u, R45 R46 180k",
        "R44 4.7k",
    ],
)
def test_it_says_these_values(words: str) -> None:
    assert words in TEXT


def test_count_of_checks() -> None:
    assert f"{len(CHECKS)} checks of the netlist" in TEXT
