"""For a VM without native code (Apple silicon): firmware is imported as bytecode, although it asks for native code."""

import io

_EMITTERS = (b"@micropython.native", b"@micropython.viper")
NATIVE = True
try:
    compile("@micropython.native\ndef probe():\n    pass\n", "probe", "exec")
except SyntaxError:
    NATIVE = False


def uint(value: int) -> int:
    """Return `value` as viper's 32-bit unsigned integer."""
    return value & 0xFFFFFFFF


def pointer(buffer: object) -> object:
    """Return `buffer`: what viper's ptr8, ptr16 and ptr32 index into."""
    return buffer


def plain(source: bytes) -> bytes:
    """Return `source` with the emitters' decorators as empty lines."""
    return b"\n".join([b"" if line.strip() in _EMITTERS else line for line in source.split(b"\n")])


class PlainSource:
    """The file system `system`, where an import of a .py file reads its source without emitters.

    `users_own` is set while the program itself opens a file, which it gets as it is.
    """

    def __init__(self, system: object) -> None:
        self._system = system
        self.users_own = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._system, name)

    def open(self, path: str, mode: str) -> object:
        """Open a file."""
        file = self._system.open(path, mode)
        if self.users_own or mode != "rb" or not path.endswith(".py"):
            return file
        source = file.read()
        file.close()
        return io.BytesIO(plain(source))
