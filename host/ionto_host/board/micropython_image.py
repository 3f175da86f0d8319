"""The MicroPython image that a board runs: which one is official here, where it is found, how it is fetched."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ionto_host import wholefile
from ionto_host.errors import DownloadError, IntegrityError, MissingPartError

VERSION = "1.28.0"
FILE_NAME = f"RPI_PICO-20260406-v{VERSION}.uf2"
URL = f"https://micropython.org/resources/firmware/{FILE_NAME}"
SHA256 = "00aedb8431ebea83b470ef909509f16432c5b1b43e8f6eaf015f6f9560bc8152"
VARIABLE = "IONTO_UF2"

HOW_TO_GET = f"Type `ionto firmware fetch`, or name a downloaded {FILE_NAME} in {VARIABLE}."
_OTHERWISE = f"Get {FILE_NAME} by other means and name it in {VARIABLE}."
_TIMEOUT_S = 30.0
_CHUNK = 65536

Progress = Callable[[int, int], None]  # bytes so far, bytes in all (0: not known)


@dataclass(frozen=True)
class Image:
    """An image file: where it is, who named it, its SHA-256, and whether that is the official image's."""

    path: Path
    named_by: str
    sha256: str
    official: bool


def fetched_path() -> Path:
    """Return where `fetch` puts the official image: in the user's cache folder."""
    return Path(platformdirs.user_cache_dir("ionto", appauthor=False)) / FILE_NAME


def named() -> bool:
    """Return True when IONTO_UF2 names an image."""
    return bool(os.environ.get(VARIABLE))


def find(explicit: Path | None = None) -> Image:
    """Return the image to use: `explicit`, the one IONTO_UF2 names, or the fetched one; `MissingPartError` if none."""
    if explicit is not None:
        return _named(explicit, "the command line")
    variable = os.environ.get(VARIABLE)
    if variable:
        return _named(Path(variable), VARIABLE)
    path = fetched_path()
    if not path.is_file():
        raise MissingPartError(f"there is no MicroPython image: {VARIABLE} is not set, {path} not there", HOW_TO_GET)
    return _fetched()


def _fetched() -> Image:
    image = _named(fetched_path(), "ionto firmware fetch")
    if not image.official:
        raise _mismatch(str(image.path), image.sha256, "Type `ionto firmware fetch --force`.")
    return image


def _named(path: Path, by: str) -> Image:
    if not path.is_file():
        raise MissingPartError(f"the MicroPython image {path}, named by {by}, is not a file", HOW_TO_GET)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Image(path, by, digest, digest == SHA256)


def _mismatch(what: str, found: str, action: str) -> IntegrityError:
    return IntegrityError(
        f"{what} has SHA-256 {found}, the official image {SHA256}", action, found=found, wanted=SHA256
    )


def fetch(progress: Progress, force: bool = False, url: str = URL) -> tuple[Image, bool]:
    """Download the official image unless it is there; return it, and True when it was downloaded.

    Its SHA-256 is checked before it takes its place. `IntegrityError` with both digests when it differs,
    `DownloadError` when it cannot be had.
    """
    path = fetched_path()
    if path.is_file() and not force:
        return _fetched(), False
    data = _download(url, progress)
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256:
        raise _mismatch(f"what {url} sent", digest, f"Nothing was kept. {_OTHERWISE}")
    path.parent.mkdir(parents=True, exist_ok=True)
    wholefile.write(path, data)
    return _fetched(), True


def _download(url: str, progress: Progress) -> bytes:
    import urllib.request  # takes 30 ms, which every command would

    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
            total = int(answer.headers.get("Content-Length") or 0)
            data = bytearray()
            while chunk := answer.read(_CHUNK):
                data += chunk
                progress(len(data), total)
            return bytes(data)
    except (OSError, ValueError) as error:
        raise DownloadError(f"{url} cannot be fetched: {error}", f"Check the network. {_OTHERWISE}") from error
