"""The one writer of what a person asked to have at a path: standard output, a device or pipe, or a whole file.

`wholefile` writes this program's own stores; here the path is somebody's, and so is what stands there already.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

from ionto_host.errors import RefusedError

STDOUT = Path("-")
_SAME_STDOUT = (STDOUT, Path("/dev/stdout"), Path("/dev/fd/1"))
_KIND_BYTES = 4  # as many first bytes tell a PNG, PDF, SVG, HTML, CSV, JSON, Parquet or calendar file from the others


def is_stdout(path: Path) -> bool:
    """Return whether `path` means standard output."""
    return path in _SAME_STDOUT


def shown(path: Path) -> str:
    """Return `path` in words."""
    return "standard output" if is_stdout(path) else str(path)


def write(path: Path, content: bytes | str, force: bool = False) -> None:
    """Write `content`, text as UTF-8, to `path`.

    `-` is standard output, a device or a pipe is written through, a link is followed. A regular file is replaced as a
    whole and keeps its mode and owner; after an error it is as it was. `RefusedError` for a file of another user, and
    without `force` for a file that begins unlike `content`: it is something else. OSError when the system refuses.
    """
    data = content.encode() if isinstance(content, str) else content
    if is_stdout(path):
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    before = _what_is_there(path)
    if before is None or stat.S_ISREG(before.st_mode):
        _replace(Path(os.path.realpath(path)), data, before, force)
    else:
        with path.open("wb", buffering=0) as stream:
            _write_all(stream.fileno(), data)


def _what_is_there(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _replace(target: Path, data: bytes, before: os.stat_result | None, force: bool) -> None:
    if before is not None:
        _protect(target, data, before, force)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:40]}.", suffix=".part", dir=target.parent)
    except OSError as error:  # about the part, whose name nobody knows
        raise OSError(error.errno, error.strerror, str(target)) from error
    part = Path(name)
    try:
        try:
            _write_all(descriptor, data)
        finally:
            os.close(descriptor)
        part.chmod(_mode_of_new() if before is None else stat.S_IMODE(before.st_mode))
        if before is not None and (before.st_uid, before.st_gid) != _owner(part):
            _give(part, before, target)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _protect(target: Path, data: bytes, before: os.stat_result, force: bool) -> None:
    if not os.access(target, os.W_OK):
        raise PermissionError(13, "the file is not to be written", str(target))
    if force or not before.st_size:
        return
    with target.open("rb") as stream:
        start = stream.read(_KIND_BYTES)
    if start.lower() != data[: len(start)].lower():
        action = "Choose another name, or overwrite it with --force."
        raise RefusedError(f"{target} exists and is a file of another kind", action)


def _owner(path: Path) -> tuple[int, int]:
    now = path.stat()
    return now.st_uid, now.st_gid


def _give(part: Path, before: os.stat_result, target: Path) -> None:
    try:
        os.chown(part, before.st_uid, before.st_gid)
        part.chmod(stat.S_IMODE(before.st_mode))  # a change of owner takes the set-user bits away
    except PermissionError:
        action = "Choose another name, or remove the file first."
        raise RefusedError(f"{target} belongs to another user or group", action) from None


def _mode_of_new() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
