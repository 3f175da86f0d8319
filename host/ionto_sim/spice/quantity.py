"""Component values as a schematic writes them ("4.7k", "191", "220p", "0R", "4k7"), in ohm and farad."""

from __future__ import annotations

import re

_SCALE = {"p": 1e-12, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "m": 1e-3, "": 1.0, "R": 1.0, "k": 1e3, "K": 1e3, "M": 1e6}
_VALUE = re.compile(r"(\d+(?:\.\d+)?)\s*([pnuµmRkKM]?)(\d*)(?:\s*(?:[FΩ]|ohm))?(?:\s.*)?")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")


def number(text: str) -> float:
    """Return the value that `text` names, in ohm or farad; ValueError when it names none."""
    match = _VALUE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no component value such as 4.7k, 220p or 10R")
    whole, prefix, tail = match.groups()
    digits = f"{whole}.{tail}" if tail and "." not in whole else whole
    return float(digits) * _SCALE[prefix]


def fraction(text: str, otherwise: float) -> float:
    """Return the tolerance "5%" as 0.05, or `otherwise` when `text` has none."""
    match = _PERCENT.search(text)
    return float(match.group(1)) / 100 if match else otherwise
