"""A raw REPL client inside the emulator's process: no PTY, no threads, for tests and measurements."""

from __future__ import annotations

from .chip import Chip


class RawRepl:
    """Talks to the REPL of `chip`, running it in the calling thread."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.output = bytearray()
        chip.received = self.output.extend

    def wait(self, mark: bytes, start: int = 0, virtual_s: float = 60.0, wall_s: float = 300.0) -> int:
        """Run until `mark` has come after `start`; return where it ends."""
        self.chip.run(lambda: mark in self.output[start:], virtual_s, wall_s)
        return self.output.index(mark, start) + len(mark)

    def enter(self) -> None:
        """Interrupt what runs and enter the raw REPL."""
        start = len(self.output)
        self.chip.send(b"\r\x03\x03\x01")
        self.wait(b"raw REPL; CTRL-B to exit\r\n>", start)

    def execute(self, code: str, virtual_s: float = 60.0, wall_s: float = 300.0) -> str:
        """Run `code`; return what it printed; `RuntimeError` with the traceback if it raised."""
        start = len(self.output)
        self.chip.send(code.encode() + b"\x04")
        self.wait(b"OK", start, virtual_s, wall_s)
        body = self.output.index(b"OK", start) + 2
        middle = self.wait(b"\x04", body, virtual_s, wall_s)
        end = self.wait(b"\x04>", middle, virtual_s, wall_s)
        error = bytes(self.output[middle : end - 2]).decode()
        if error:
            raise RuntimeError(error)
        return bytes(self.output[body : middle - 1]).decode().replace("\r\n", "\n")
