"""Flash that tears, under the real littlefs: for tests that cut the power at a flash operation.

A cut ends the operation in its middle: an erase leaves a part of its block undone, a program a part of its page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from littlefs import LittleFS
from littlefs.context import UserContext
from littlefs.errors import LittleFSError

BLOCK, BLOCKS, PAGE = 4_096, 40, 256  # page: what MicroPython's port for the RP2040 mounts with
FOLDER = "/logs"


class Chip(UserContext):
    """Flash that remembers every erase, and every program of a page, since `began`."""

    def __init__(self, content: bytes = b"") -> None:
        super().__init__(BLOCK * BLOCKS)
        self.buffer = bytearray(content or b"\xff" * BLOCK * BLOCKS)
        self.began = bytes(self.buffer)
        self.operations: list[tuple[int, bytes]] = []
        self.on_operation: Callable[[], None] = lambda: None  # before each

    def read(self, cfg: Any, block: int, off: int, size: int) -> bytearray:
        """As littlefs asks for it."""
        at = block * BLOCK + off
        return self.buffer[at : at + size]

    def prog(self, cfg: Any, block: int, off: int, data: bytes) -> int:
        """Program page by page."""
        for at in range(0, len(data), PAGE):
            self._operate(block * BLOCK + off + at, bytes(data[at : at + PAGE]))
        return 0

    def erase(self, cfg: Any, block: int) -> int:
        """Erase one block."""
        self._operate(block * BLOCK, b"\xff" * BLOCK)
        return 0

    def sync(self, cfg: Any) -> int:
        """Nothing is held back."""
        return 0

    def _operate(self, at: int, data: bytes) -> None:
        self.on_operation()
        self.operations.append((at, data))
        self.buffer[at : at + len(data)] = data

    def begin(self) -> None:
        """Remember from here on."""
        self.began = bytes(self.buffer)
        self.operations.clear()

    def cut(self, number: int, torn: int = 128) -> bytes:
        """Return what is on the flash when the power goes in operation `number`, from 1, with `torn`/256 of it done."""
        content = bytearray(self.began)
        for index, (at, data) in enumerate(self.operations[:number], 1):
            done = data[: len(data) * torn // PAGE] if index == number else data
            content[at : at + len(done)] = done
        return bytes(content)


class Disk:
    """The part of `os` and `open` that the firmware uses, on littlefs, with the errors that MicroPython raises.

    `on_write` is told of each file that is opened for writing, or removed.
    """

    def __init__(self, chip: Chip, blank: bool = False) -> None:
        self.chip = chip
        self.random = 0  # where the bytes of `urandom` begin
        self.on_write: Callable[[str], None] = lambda path: None
        self.write_us = 0
        self.fs = LittleFS(
            context=chip,
            mount=False,
            block_size=BLOCK,
            block_count=BLOCKS,
            read_size=PAGE,
            prog_size=PAGE,
            cache_size=PAGE,
        )
        if blank:
            self.fs.format()
        self.fs.mount()
        if blank:
            self.fs.mkdir(FOLDER)

    def listdir(self, path: str) -> list[str]:
        """As os.listdir."""
        with _os_errors():
            return self.fs.listdir(path)

    def mkdir(self, path: str) -> None:
        """As os.mkdir."""
        self.on_write(path)
        with _os_errors():
            self.fs.mkdir(path)

    def stat(self, path: str) -> tuple[int, ...]:
        """As os.stat, the size at index 6."""
        with _os_errors():
            return (0, 0, 0, 0, 0, 0, self.fs.stat(path).size, 0, 0, 0)

    def statvfs(self, path: str) -> tuple[int, ...]:
        """As os.statvfs: block size at index 0, free blocks at index 3."""
        with _os_errors():
            free = BLOCKS - self.fs.used_block_count
        return (BLOCK, BLOCK, BLOCKS, free, free, 0, 0, 0, 0, 255)

    def remove(self, path: str) -> None:
        """As os.remove."""
        self.on_write(path)
        with _os_errors():
            self.fs.remove(path)

    def rename(self, old: str, new: str) -> None:
        """As os.rename: takes the place of what is there."""
        self.on_write(new)
        with _os_errors():
            self.fs.rename(old, new)

    def urandom(self, size: int) -> bytes:
        """Return the same every time."""
        return bytes(range(self.random, self.random + size))

    def open(self, path: str, mode: str = "r") -> Stream:
        """As open; a write is on flash when the file is closed."""
        if mode[0] != "r":
            self.on_write(path)
        with _os_errors():
            return Stream(self.fs.open(path, mode))

    def content(self, path: str) -> bytes:
        """Return the bytes of a file."""
        with self.open(path, "rb") as stream:
            return stream.read()

    @property
    def logs(self) -> dict[str, bytes]:
        """Every log's bytes by path."""
        names = sorted(name for name in self.listdir(FOLDER) if name.endswith(".ilog"))
        return {f"{FOLDER}/{name}": self.content(f"{FOLDER}/{name}") for name in names}


class Stream:
    """An open file on a `Disk`."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: object) -> None:
        with _os_errors():
            self._file.close()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._file, name)

        def call(*arguments: Any) -> Any:
            with _os_errors():
                return method(*arguments)

        return call


@contextmanager
def _os_errors() -> Iterator[None]:
    """Turn an error of littlefs into the OSError that MicroPython makes of it."""
    try:
        yield
    except LittleFSError as error:
        raise OSError(-error.code, str(error)) from error
