"""The board's flash as a dictionary, with the calls of `os` and `open` that the firmware uses. A fork copies it."""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from typing import Any

from ionto import filecheck

_BLOCK, _BLOCKS = 4096, 212


class Disk:
    """Takes the place of the module `os`, and `open` that of the function, in the firmware's modules."""

    def __init__(self) -> None:
        firmware = {"/main.py": b"main"}
        manifest = {"files": {path: hashlib.sha256(data).hexdigest() for path, data in firmware.items()}}
        body = json.dumps(manifest).encode()
        self.files: dict[str, bytes] = {**firmware, filecheck.MANIFEST_PATH: body + b"\n%08x" % zlib.crc32(body)}
        self._folders = {"/logs"}

    def listdir(self, folder: str = "/") -> list[str]:
        """As os.listdir."""
        if folder not in ("/", *self._folders):
            raise OSError(2)
        inside = folder.rstrip("/") + "/"
        return [path[len(inside) :] for path in self.files if path.startswith(inside)]

    def ilistdir(self, folder: str = "/") -> list[tuple[str, int, int, int]]:
        """As os.ilistdir."""
        inside = folder.rstrip("/") + "/"
        return [(name, 0x8000, 0, len(self.files[inside + name])) for name in self.listdir(folder)]

    def mkdir(self, path: str) -> None:
        """As os.mkdir."""
        self._folders.add(path)

    def stat(self, path: str) -> tuple[int, ...]:
        """As os.stat, with the size at index 6."""
        return (0x8000, 0, 0, 0, 0, 0, len(self._read(path)), 0, 0, 0)

    def statvfs(self, _path: str) -> tuple[int, ...]:
        """As os.statvfs of an empty flash."""
        return (_BLOCK, _BLOCK, _BLOCKS, _BLOCKS, _BLOCKS, 0, 0, 0, 0, 255)

    def urandom(self, size: int) -> bytes:
        """As os.urandom, and the same in every run."""
        return bytes(range(size))

    def remove(self, path: str) -> None:
        """As os.remove."""
        self._read(path)
        del self.files[path]

    def rename(self, old: str, new: str) -> None:
        """As os.rename on littlefs: takes the place of what is there."""
        self.files[new] = self._read(old)
        del self.files[old]

    def sync(self) -> None:
        """As os.sync."""

    def open(self, path: str, mode: str = "r") -> Any:
        """As open, for the modes of the firmware."""
        if mode[0] == "r":
            data = self._read(path)
            return io.BytesIO(data) if "b" in mode else io.StringIO(data.decode())
        return _Writer(self, path, self.files.get(path, b"") if mode[0] == "a" else b"")

    def _read(self, path: str) -> bytes:
        if path not in self.files:
            raise OSError(2)
        return self.files[path]


class _Writer(io.BytesIO):
    """A file that is written; what stands in it is on the disk at once."""

    def __init__(self, disk: Disk, path: str, begin: bytes):
        super().__init__()
        self._disk, self._path = disk, path
        super().write(begin)
        disk.files[path] = begin

    def write(self, data: Any) -> int:
        count = super().write(data.encode() if isinstance(data, str) else data)
        self._disk.files[self._path] = self.getvalue()
        return count
