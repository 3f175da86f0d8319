"""The heap of the emulated board: what is left while a session runs, and how long its collections take."""

from __future__ import annotations

from collections.abc import Iterator

from ionto import pins, protocol
from verification.benchmarks.board import Board, bundle, guest
from verification.benchmarks.catalogue import Result
from verification.benchmarks.options import Options
from verification.benchmarks.session_run import record

_SPARE_PIN = 21  # as guest/timed_collections.py
_CURRENT_UA = 1_000
_RAMP_MS = 1_000
_LOG_FLAG = protocol.FLAG_LOG_OPEN


def run(options: Options) -> Iterator[Result]:
    """Yield the rows of the group."""
    seen = record(options)
    yield Result("free_kib", min(seen.heap_free) / 1024)
    yield Result("live_collections", seen.collections)
    options.progress("memory: collections of a short session")
    collections = _collections(options)
    longest = max(collections, key=lambda item: item["ms"])
    yield Result("collection_ms", longest["ms"], parts={"collections": collections})


def _collections(options: Options) -> list[dict]:
    """Return the collections that the firmware asks for, from boot to a log on flash, with the state of each."""
    firmware = bundle(options)
    boot = guest("timed_collections").encode() + firmware.contents()["/boot.py"]
    board = Board(options, firmware.with_file("/boot.py", boot).contents())
    assert _SPARE_PIN not in vars(pins).values(), f"GP{_SPARE_PIN} is not spare any more"
    found: list[dict] = []
    began_us = 0.0

    def edge(_new: object, _old: object) -> None:
        nonlocal began_us
        now_us = board.chip.clock.nanos / 1000
        if board.chip.level(_SPARE_PIN):
            began_us = now_us
        elif began_us:
            found.append(
                {"ms": (now_us - began_us) / 1000, "output_on": board.wiring.circuit.on, "at_ms": now_us / 1000}
            )
            began_us = 0.0

    board.chip.rp2040.gpio[_SPARE_PIN].add_listener(edge)
    board.until_ready()
    board.start(_CURRENT_UA, 10, _RAMP_MS)
    board.until_state(protocol.RAMP_UP)
    board.pass_ms(300)
    board.ask(protocol.ABORT)
    board.pass_ms(200)
    while board.status().flags & _LOG_FLAG:
        board.pass_ms(100)
    return found
