"""How the emulated board comes up: from reset to the first control step, and what the import of the firmware costs."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from verification.benchmarks.board import Board, at_prompt, firmware_files, guest
from verification.benchmarks.catalogue import Result
from verification.benchmarks.options import Options


def run(options: Options) -> Iterator[Result]:
    """Yield the rows of the group."""
    options.progress("boot: reset to ready")
    board = Board(options, firmware_files(options))
    board.until_ready()
    yield Result("first_ready_ms", board.timing.rises_us[0] / 1000)
    mark, reset_us = board.timing.mark(), board.chip.now_us
    board.chip.reset("run_pin")
    board.until_ready()
    yield Result("ready_ms", (board.timing.rises_us[mark] - reset_us) / 1000)
    options.progress("boot: cost of the import")
    repl = at_prompt(options, firmware_files(options))
    passed_us, kept = ast.literal_eval(repl.execute(f"{guest('import_cost')}\nmain()"))
    yield Result("import_ms", passed_us / 1000)
    yield Result("import_kib", kept / 1024)
