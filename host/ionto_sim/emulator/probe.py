"""What can be learnt about a running firmware without running anything in it: loop timing and heap."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ionto import pins

from .chip import Chip

_SRAM = 0x20000000
_BLOCK_BYTES = 16
_FREE_IN_BYTE = bytes(sum(not entry >> shift & 3 for shift in (0, 2, 4, 6)) for entry in range(256))


@dataclass(frozen=True)
class Cycles:
    """Control cycles over a stretch of time; times in us."""

    count: int
    control_mean_us: float
    control_max_us: float
    period_mean_us: float
    period_max_us: float


class LoopTiming:
    """Records the loop timing pin of `chip`: high while a control step runs."""

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self.rises_us: list[float] = []
        self.high_us: list[float] = []
        chip.rp2040.gpio[pins.LOOP_TIMING].add_listener(lambda new, old: self._edge())

    def _edge(self) -> None:
        now_us = self._chip.clock.nanos / 1000
        if self._chip.level(pins.LOOP_TIMING):
            self.rises_us.append(now_us)
        elif self.rises_us:
            self.high_us.append(now_us - self.rises_us[-1])

    def mark(self) -> int:
        """Return where the record is now, for `since`."""
        return len(self.rises_us)

    def since(self, mark: int = 0) -> Cycles:
        """Return the cycles since `mark`; ValueError when there were fewer than two."""
        rises, high = self.rises_us[mark:], self.high_us[mark:]
        periods = [late - early for early, late in pairwise(rises)]
        if not periods or not high:
            raise ValueError("no control cycle was seen on the loop timing pin")
        return Cycles(len(periods), sum(high) / len(high), max(high), sum(periods) / len(periods), max(periods))


class Heap:
    """Looks at MicroPython's heap from outside. `elf` is the image with debug information, for the addresses."""

    def __init__(self, chip: Chip, elf: Path) -> None:
        self._chip = chip
        self._at = _addresses(elf)

    def _word(self, name: str) -> int:
        at = self._at[name] - _SRAM
        return int.from_bytes(self._chip.rp2040.sram[at : at + 4], "little")

    def allocated_bytes(self) -> int:
        """Return how much has been allocated since the last collection, freed again or not."""
        return _BLOCK_BYTES * self._word("gc_alloc_amount")

    def used_bytes(self) -> int:
        """Return how much is in use."""
        start, size = self._word("gc_alloc_table_start") - _SRAM, self._word("gc_alloc_table_byte_len")
        table = bytes(self._chip.rp2040.sram[start : start + size])
        return _BLOCK_BYTES * (4 * size - sum(table.translate(_FREE_IN_BYTE)))


def _addresses(elf: Path) -> dict[str, int]:
    """Return the addresses of the collector's words, from the symbol `mp_state_ctx` and its DWARF type."""
    from elftools.elf.elffile import ELFFile

    with elf.open("rb") as stream:
        file = ELFFile(stream)
        table: Any = file.get_section_by_name(".symtab")
        base = next(symbol["st_value"] for symbol in table.iter_symbols() if symbol.name == "mp_state_ctx")
        state = _members(_variable_type(file, b"mp_state_ctx"))
        memory_at, memory_type = state["mem"]
        memory = _members(memory_type)
        area_at, area_type = memory["area"]
        area = _members(area_type)
        found = {"gc_alloc_amount": base + memory_at + memory["gc_alloc_amount"][0]}
        for name in ("gc_alloc_table_start", "gc_alloc_table_byte_len"):
            found[name] = base + memory_at + area_at + area[name][0]
        return found


def _variable_type(file: Any, name: bytes) -> Any:
    for unit in file.get_dwarf_info().iter_CUs():
        for entry in unit.iter_DIEs():
            found = entry.attributes.get("DW_AT_name")
            if entry.tag == "DW_TAG_variable" and found and found.value == name and "DW_AT_type" in entry.attributes:
                return entry.get_DIE_from_attribute("DW_AT_type")
    raise ValueError(f"the image has no debug information about {name.decode()}")


def _members(entry: Any) -> dict[str, tuple[int, Any]]:
    """Return `{name: (offset, type)}` of a structure."""
    while entry.tag in ("DW_TAG_typedef", "DW_TAG_volatile_type", "DW_TAG_const_type"):
        entry = entry.get_DIE_from_attribute("DW_AT_type")
    return {
        child.attributes["DW_AT_name"].value.decode(): (
            child.attributes["DW_AT_data_member_location"].value,
            child.get_DIE_from_attribute("DW_AT_type"),
        )
        for child in entry.iter_children()
        if child.tag == "DW_TAG_member" and "DW_AT_name" in child.attributes
    }
