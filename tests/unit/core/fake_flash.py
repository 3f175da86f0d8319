"""Flash memory with files, as the firmware sees it, and the logs in it."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from ionto import (
    calibration,
    filecheck,
    files,
    sessionlog,
    settings,
)
from ionto import sessionlog_format as fmt


class Flash:
    """The file system: the part of `os` and `open` that the firmware uses, in memory, costing virtual time."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.system = installed()  # firmware and settings, which are no session's
        self.folders = {"/logs"}
        self.free_blocks = 200
        self.write_us = 0
        self.fail: Callable[[str], None] = lambda operation: None  # raise OSError here to break an operation
        self.on_write: Callable[[str], None] = lambda path: None
        self.on_stat: Callable[[], None] = lambda: None

    @property
    def logs(self) -> dict[str, bytes]:
        """The log files."""
        return {path: data for path, data in self.files.items() if path.endswith(".ilog")}

    def listdir(self, path: str) -> list[str]:
        """As os.listdir."""
        if path == "/":
            return [folder[1:] for folder in self.folders]
        if path not in self.folders:
            raise OSError(2)
        return [name[len(path) + 1 :] for name in self.files if name.startswith(path + "/")]

    def mkdir(self, path: str) -> None:
        """As os.mkdir."""
        self.fail("mkdir")
        self.folders.add(path)

    def stat(self, path: str) -> tuple[int, ...]:
        """As os.stat, with the size at index 6."""
        self.on_stat()
        return (0x8000, 0, 0, 0, 0, 0, len(self.files[path]), 0, 0, 0)

    def statvfs(self, path: str) -> tuple[int, ...]:
        """As os.statvfs: block size at index 0, free blocks at index 3."""
        return (4096, 4096, 212, self.free_blocks, self.free_blocks, 0, 0, 0, 0, 255)

    def urandom(self, size: int) -> bytes:
        """As os.urandom, and the same in every run."""
        return bytes(range(size))

    def remove(self, path: str) -> None:
        """As os.remove."""
        self.on_write(path)
        self.fail("remove")
        del self.files[path]

    def rename(self, old: str, new: str) -> None:
        """As os.rename on littlefs: takes the place of what is there."""
        self.on_write(new)
        self.fail("rename")
        self._place(new)[new] = self._place(old).pop(old)

    def _place(self, path: str) -> dict[str, bytes]:
        return self.system if path in self.system or path in (settings.PATH, calibration.PATH) else self.files

    def open(self, path: str, mode: str = "r") -> _File:
        """As open, for the modes rb, wb, ab, r and w."""
        self.fail("open " + mode)
        files = self._place(path)
        if mode[0] == "r" and path not in files:
            raise OSError(2)
        return _File(self, files, path, mode)


def installed() -> dict[str, bytes]:
    """Return a firmware as `ionto flash` leaves it, and the settings of a board that has booted before."""
    firmware = {"/main.py": b"main", "/lib/ionto/modules.pack": bytes(5_000)}
    manifest = {"files": {path: hashlib.sha256(data).hexdigest() for path, data in firmware.items()}}
    return firmware | {filecheck.MANIFEST_PATH: checked(manifest)}


def checked(content: Any) -> bytes:
    """Return JSON and a line of its CRC-32, as the board keeps what it has to trust."""
    body = json.dumps(content).encode()
    return body + b"\n%08x" % zlib.crc32(body)


class _File:
    def __init__(self, flash: Flash, files: dict[str, bytes], path: str, mode: str):
        self._flash, self._files, self._path = flash, files, path
        self._at = 0
        self._binary = mode.endswith("b")
        if mode[0] == "w":
            flash.on_write(path)
            files[path] = b""
        files.setdefault(path, b"")

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """As file.close."""

    def write(self, data: bytes | str) -> int:
        self._flash.on_write(self._path)
        self._flash.fail("write")
        self._files[self._path] += data.encode() if isinstance(data, str) else bytes(data)
        return len(data)

    def read(self, size: int | None = None) -> Any:
        data = self._files[self._path][self._at :]
        data = data if size is None else data[:size]
        self._at += len(data)
        return data if self._binary else data.decode()

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset if whence == 0 else self._at + offset
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:
        self._flash.fail("readinto")
        data = self._files[self._path][self._at : self._at + len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


@contextmanager
def logs_on(flash: Any) -> Iterator[None]:
    """Let the session log and the kept files see `flash` (a `Flash`, or a disk of littleflash)."""
    with ExitStack() as stack:
        for module in (sessionlog, files):
            stack.enter_context(patch.object(module, "os", flash))
        for module in (sessionlog, files, filecheck):
            stack.enter_context(patch.object(module, "open", flash.open, create=True))
        yield


def read_log(data: bytes) -> list[tuple[str, Any]]:
    """Return the records of a session log as (name, content); AssertionError for any byte that does not belong.

    An own decoder, from docs/log_format.md and sessionlog_format: JSON records as dicts, the others as rows.
    """
    assert data[:8] == b"IONTOLOG"
    assert struct.unpack_from("<H", data, 8)[0] == 3
    at, records, chain = 10, [], data[:10]
    while at < len(data):
        mark, kind, sequence, length = struct.unpack_from("<BBHH", data, at)
        end = at + 6 + length
        chain = hashlib.sha256(chain + data[at:end]).digest()
        assert mark == 0xA9
        assert data[end : end + 32] == chain, "record chain"
        assert struct.unpack_from("<I", data, end + 32)[0] == zlib.crc32(data[at : end + 32]), "record CRC"
        assert sequence == len(records), "record sequence"
        payload = data[at + 6 : end]
        end += 32
        if kind in (1, 4, 5):
            content: Any = json.loads(payload)
        else:
            layout, fields = (
                (fmt.SAMPLE_FORMAT, fmt.SAMPLE_FIELDS) if kind == 2 else (fmt.EVENT_FORMAT, fmt.EVENT_FIELDS)
            )
            names = [name for name, _ in fields]
            content = [dict(zip(names, row, strict=True)) for row in struct.iter_unpack(layout, payload)]
        records.append(({1: "arm", 2: "samples", 3: "events", 4: "end", 5: "test"}[kind], content))
        at = end + 4
    assert at == len(data)
    return records
