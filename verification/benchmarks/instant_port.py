"""A serial port to an emulated board whose host takes no time: virtual time passes only while the host waits."""

from __future__ import annotations

from verification.benchmarks.board import Board

_SILENCE_US = 1_000_000


class InstantPort:
    """As much of `serial.Serial` as `ionto` and mpremote use; a read ends after 1 s of virtual time with what came."""

    def __init__(self, board: Board) -> None:
        self.timeout: float | None = None
        self._board = board
        self._received = bytearray()
        board.chip.received = self._received.extend

    @property
    def in_waiting(self) -> int:
        """How many bytes have arrived."""
        return len(self._received)

    def inWaiting(self) -> int:  # noqa: N802 - the name that mpremote uses
        """Return `in_waiting`."""
        return self.in_waiting

    def read(self, size: int = 1) -> bytes:
        """Return the next `size` bytes, fewer when no more come."""
        chip = self._board.chip
        end_us = chip.now_us + _SILENCE_US
        self._board.until(lambda: len(self._received) >= size or chip.now_us >= end_us)
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def write(self, data: bytes) -> int:
        """Send `data`."""
        self._board.chip.send(data)
        return len(data)

    def close(self) -> None:
        """Stop listening."""
        self._board.chip.received = lambda data: None
