"""The chip's REPL, friendly and raw with raw paste, so that virtual time goes on while it waits for input."""

import io
import sys

from . import plain, stdio

_WINDOW = 128  # bytes of the raw-paste window, as rp2
CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E = 1, 2, 3, 4, 5
_HELP = 'Type "help()" for more information.\n'


class SoftReset(Exception):
    """The user or the program asked for a soft reset."""


class Repl:
    """`mode` is "friendly" or "raw"; `interrupts(on)` lets Ctrl-C interrupt or be data."""

    def __init__(self, mode: str, banner: str, interrupts: object, hidden: str) -> None:
        self.mode = mode
        self.globals = {"__name__": "__main__"}
        self._banner = banner
        self._interrupts = interrupts
        self._hidden = hidden

    def run_source(self, source: str, name: str, single: bool = False) -> object:
        """Compile and execute `source`; return None, or the exception. SoftReset for SystemExit."""
        try:
            self._interrupts(True)
            exec(compile(source, name, "single" if single else "exec"), self.globals)
            self._interrupts(False)
        except SystemExit:
            raise SoftReset
        except BaseException as error:
            return error
        finally:
            self._interrupts(False)
        return None

    def show(self, error: object) -> None:
        """Print a traceback without the frames of the virtual Pico."""
        out = io.StringIO()
        sys.print_exception(error, out)
        lines = out.getvalue().split("\n")
        stdio.put("\n".join([line for line in lines if self._hidden not in line]))

    def run_file(self, path: str) -> None:
        """Run a file as boot.py and main.py are, if it is there."""
        try:
            with open(path, "rb") as file:
                source = file.read()
        except OSError:
            return
        error = self.run_source((source if plain.NATIVE else plain.plain(source)).decode(), path)
        if error is not None:
            self.show(error)

    def loop(self) -> None:
        """Serve the REPL until SoftReset."""
        while True:
            try:
                if self.mode == "raw":
                    self._raw()
                else:
                    self._friendly()
            except KeyboardInterrupt:
                continue

    # Raw.

    def _raw(self) -> None:
        stdio.put_raw(b"raw REPL; CTRL-B to exit\r\n>")
        line = bytearray()
        while True:
            byte = stdio.get()
            if byte == CTRL_A:
                if line == b"\x05A":
                    line = bytearray()
                    self._paste()
                    stdio.put_raw(b">")
                    continue
                if len(line) == 2 and line[0] == CTRL_E:
                    line = bytearray()
                    stdio.put_raw(b"R\x00>")
                    continue
                return
            if byte == CTRL_B:
                stdio.put_raw(b"\r\n")
                self.mode = "friendly"
                return
            if byte == CTRL_C:
                line = bytearray()
            elif byte != CTRL_D:
                line.append(byte)
            else:
                stdio.put_raw(b"OK")
                if not line:
                    stdio.put_raw(b"\r\n")
                    raise SoftReset
                self._execute_raw(bytes(line))
                line = bytearray()
                stdio.put_raw(b">")

    def _execute_raw(self, source: bytes) -> None:
        error = self.run_source(source.replace(b"\r\n", b"\n").replace(b"\r", b"\n").decode(), "<stdin>")
        stdio.put_raw(b"\x04")
        if error is not None:
            self.show(error)
        stdio.put_raw(b"\x04")

    def _paste(self) -> None:
        """Raw paste: flow control by windows of 128 bytes."""
        stdio.put_raw(b"R\x01" + bytes([_WINDOW & 0xFF, _WINDOW >> 8]) + b"\x01")
        left = _WINDOW
        source = bytearray()
        while True:
            byte = stdio.get()
            if byte == CTRL_C:
                stdio.put_raw(b"\x04\x04")
                return
            if byte == CTRL_D:
                stdio.put_raw(b"\x04")
                break
            source.append(byte)
            left -= 1
            if left == 0:
                stdio.put_raw(b"\x01")
                left = _WINDOW
        self._execute_raw(bytes(source))

    # Friendly.

    def _friendly(self) -> None:
        stdio.put(self._banner + "\n" + _HELP)
        while True:
            line, key = self._read_line(">>> ")
            if key == CTRL_A:
                stdio.put_raw(b"\r\n")
                self.mode = "raw"
                return
            if key == CTRL_B:
                stdio.put_raw(b"\r\n")
                return
            if key == CTRL_C:
                continue
            if key == CTRL_D:
                stdio.put_raw(b"\r\n")
                raise SoftReset
            if key == CTRL_E:
                line = self._read_block()
            elif line:
                line = self._read_more(line)
            if line:
                self._execute_line(line, key != CTRL_E)

    def _execute_line(self, source: str, single: bool) -> None:
        error = self.run_source(source, "<stdin>", single)
        if error is not None:
            self.show(error)

    def _read_line(self, prompt: str) -> tuple:
        """Return (line, 0) or ("", control key) for a key that ends it."""
        stdio.put(prompt)
        line = ""
        while True:
            byte = stdio.get()
            if byte in (CTRL_A, CTRL_B, CTRL_D, CTRL_E) and not line:
                return "", byte
            if byte == CTRL_C:
                stdio.put("\n")
                return "", byte
            if byte in (10, 13):
                stdio.put("\n")
                return line, 0
            if byte in (8, 127):
                if line:
                    line = line[:-1]
                    stdio.put_raw(b"\x08 \x08")
            elif byte >= 32 or byte == 9:
                line += chr(byte)
                stdio.put_raw(bytes([byte]))

    def _read_more(self, line: str) -> str:
        """Read the rest of a compound statement, up to an empty line."""
        while _continues(line):
            more, key = self._read_line("... ")
            if key == CTRL_C:
                return ""
            line += "\n" + more
            if not more or key:
                break
        return line

    def _read_block(self) -> str:
        """Paste mode: everything up to Ctrl-D."""
        stdio.put("\npaste mode; Ctrl-C to cancel, Ctrl-D to finish\n=== ")
        block = bytearray()
        while True:
            byte = stdio.get()
            if byte in (CTRL_C, CTRL_D):
                stdio.put("\n")
                return "" if byte == CTRL_C else block.decode()
            block.append(10 if byte == 13 else byte)
            stdio.put("\n=== " if byte == 13 else chr(byte))


def _continues(line: str) -> bool:
    """Return True when `line` is not yet a whole statement."""
    last = line.rstrip()
    if "\n" in line:
        return True
    depth = 0
    for character in line:
        depth += (character in "([{") - (character in ")]}")
    return depth > 0 or last.endswith((":", "\\")) or line.startswith("@")
