"""The flash image: 352 blocks of 4 KiB with littlefs, as the rp2 port formats it; files go in without booting."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .errors import SimStartError

BLOCK_SIZE = 4096
BLOCK_COUNT = 352
SIZE = BLOCK_SIZE * BLOCK_COUNT
_PROGRAM_SIZE = 256
_READ_SIZE = 32


def create_blank(image: Path) -> None:
    """Write an erased flash to `image`; the first boot formats it."""
    image.write_bytes(b"\xff" * SIZE)


def firmware_files(source: Path) -> dict[str, bytes]:
    """Return `{path on the device: content}` of the firmware directory `source` (boot.py, main.py, lib/)."""
    paths = [path for path in (source / "boot.py", source / "main.py") if path.is_file()]
    paths += [path for path in sorted((source / "lib").rglob("*")) if path.suffix in (".py", ".mpy", ".json")]
    if not paths:
        raise SimStartError(f"no firmware in {source}: expected boot.py, main.py or lib/")
    return {str(path.relative_to(source)): path.read_bytes() for path in paths}


def build(files: Mapping[str, bytes], blank: bytes = b"\xff" * SIZE) -> bytes:
    """Return the image `blank`, formatted if it has no file system, with `files` `{path: content}` written into it."""
    filesystem = _open(blank)
    for name, content in files.items():
        path = "/" + name.lstrip("/")
        parent = path.rpartition("/")[0]
        if parent:
            filesystem.makedirs(parent, exist_ok=True)
        with filesystem.open(path, "wb") as file:
            file.write(content)
    filesystem.unmount()
    return bytes(filesystem.context.buffer)


def install(image: Path, files: Mapping[str, bytes]) -> None:
    """Write `files` `{path: content}` into the file system of `image`, formatting it if it has none."""
    image.write_bytes(build(files, image.read_bytes()) if image.exists() else build(files))


def read_files(image: Path) -> dict[str, bytes]:
    """Return every file in `image` as `{path: content}`."""
    filesystem = _open(image.read_bytes())
    found: dict[str, bytes] = {}
    for root, _, names in filesystem.walk("/"):
        for name in names:
            path = f"{root.rstrip('/')}/{name}"
            with filesystem.open(path, "rb") as file:
                found[path] = file.read()
    return found


def _open(content: bytes):
    """Return the mounted littlefs of the image with this `content`, in memory."""
    try:
        from littlefs import LittleFS, LittleFSError
    except ImportError as error:
        raise SimStartError(
            "writing into a flash image needs the package littlefs-python; install it or copy with mpremote"
        ) from error
    filesystem = LittleFS(
        block_size=BLOCK_SIZE,
        block_count=BLOCK_COUNT,
        prog_size=_PROGRAM_SIZE,
        read_size=_READ_SIZE,
        mount=False,
    )
    filesystem.context.buffer = bytearray(content)
    try:
        filesystem.mount()
    except LittleFSError:
        filesystem.format()
        filesystem.mount()
    return filesystem
