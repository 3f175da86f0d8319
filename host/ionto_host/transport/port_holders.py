"""Which processes have a serial port open: by /proc on Linux, by lsof on macOS; Windows does not tell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ionto_host.transport.network import is_remote


@dataclass(frozen=True)
class Holder:
    """A process that has a port open."""

    pid: int
    program: str


def holders(port: str, proc: Path = Path("/proc")) -> list[Holder]:
    """Return who has `port` open, this process left out; those of other users are seen by root only."""
    if is_remote(port):
        return []
    if proc.is_dir():
        return [holder for holder in _by_proc(os.path.realpath(port), proc) if holder.pid != os.getpid()]
    if sys.platform == "darwin" and shutil.which("lsof"):
        return _by_lsof(port)
    return []


def _by_proc(port: str, proc: Path) -> list[Holder]:
    found: list[Holder] = []
    for process in sorted((item for item in proc.iterdir() if item.name.isdigit()), key=lambda item: int(item.name)):
        try:
            open_files = [os.readlink(item) for item in (process / "fd").iterdir()]
            if port in open_files:
                found.append(Holder(int(process.name), _program(process)))
        except OSError:
            continue
    return found


def _program(process: Path) -> str:
    """Return the command line as its user knows it: without the interpreter, and the program without its folder."""
    words = [word for word in (process / "cmdline").read_bytes().decode(errors="replace").split("\0") if word]
    if len(words) > 1 and Path(words[0]).name.startswith("python"):
        words = words[2:] if words[1] == "-m" else words[1:]
    if not words:
        return (process / "comm").read_text().strip()
    return " ".join([Path(words[0]).name, *words[1:]])[:60]


def told(found: list[Holder]) -> str:
    """Return `found` in words: programs and process ids; "another program" when nothing is known."""
    return " and ".join(f"{holder.program} (pid {holder.pid})" for holder in found) or "another program"


def _by_lsof(port: str) -> list[Holder]:
    done = subprocess.run(["lsof", "-F", "pc", port], capture_output=True, text=True, check=False)
    pids = [line[1:] for line in done.stdout.splitlines() if line.startswith("p")]
    names = [line[1:] for line in done.stdout.splitlines() if line.startswith("c")]
    return [Holder(int(pid), name) for pid, name in zip(pids, names, strict=False) if int(pid) != os.getpid()]
