"""The programs that the hardware checks need: found, installed on Debian and Ubuntu, or asked for by name.

KiCad 9 is not in Debian 12 itself but in its backports, which every mirror has: the source line is made from the
machine's own one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path

KICAD_MAJOR = 9
PROGRAMS = {"kicad-cli": ("kicad", "kicad-symbols"), "ngspice": ("ngspice",), "rsvg-convert": ("librsvg2-bin",)}
LIBRARIES = {"libngspice": ("libngspice0",)}
LOCK_WAIT_S = 300.0  # how long another apt-get may hold its locks
LOCK_RETRY_S = 2.0
_LOCKED = ("Could not get lock", "Unable to lock")  # of the locks that DPkg::Lock::Timeout does not wait for
_SOURCES = Path("/etc/apt/sources.list.d/iontopico-backports.sources")
_ADVICE = "install KiCad 9, ngspice and librsvg with the system's package manager, for example: %s"
_ELSEWHERE = "brew install --cask kicad && brew install ngspice libngspice librsvg   (macOS)"


class ToolError(Exception):
    """A program is missing and cannot be installed from here; the message says what to type."""


@dataclass(frozen=True)
class Source:
    """One apt source: the address, the suites, the components and the key that signs it."""

    uris: str
    suites: tuple[str, ...]
    components: str
    signed_by: str = ""

    def backports(self, codename: str) -> str:
        """Return the source of the backports of `codename` on the same mirror, in deb822 form."""
        lines = ["Types: deb", f"URIs: {self.uris}", f"Suites: {codename}-backports", f"Components: {self.components}"]
        return "\n".join(lines + ([f"Signed-By: {self.signed_by}"] if self.signed_by else [])) + "\n"


def missing() -> list[str]:
    """Return the programs and libraries that are not there, or too old."""
    lacking = [program for program in PROGRAMS if shutil.which(program) is None]
    if "kicad-cli" not in lacking and kicad_major() < KICAD_MAJOR:
        lacking.append("kicad-cli")
    return lacking + [name for name in LIBRARIES if find_library(name.removeprefix("lib")) is None]


def kicad_major() -> int:
    """Return the major version of the installed KiCad."""
    said = subprocess.run(["kicad-cli", "version"], capture_output=True, text=True, check=False).stdout
    return _major(said)


def ensure() -> None:
    """Install what is missing; ToolError with the command to type where that cannot be done."""
    lacking = missing()
    if not lacking:
        return
    names = [package for name in lacking for package in (PROGRAMS | LIBRARIES)[name]]
    if shutil.which("apt-get") is None:
        raise ToolError(f"missing: {', '.join(lacking)}; " + _ADVICE % _ELSEWHERE)
    root = [] if os.geteuid() == 0 else ["sudo"]
    typed = "sudo apt-get install --no-install-recommends " + " ".join(names)
    if root and shutil.which("sudo") is None:
        raise ToolError(f"missing: {', '.join(lacking)}, and there is neither root nor sudo; as root: {typed}")
    _apt(root, "update")
    release = _release_for_kicad(root) if "kicad" in names else []
    _apt(root, "install", "--yes", "--no-install-recommends", *release, *names)
    if left := missing():
        raise ToolError(f"still missing after the installation: {', '.join(left)}; " + _ADVICE % typed)


def _release_for_kicad(root: Sequence[str]) -> list[str]:
    """Return apt's options for KiCad 9, after adding the backports where the release itself has an older one."""
    said = subprocess.run(["apt-cache", "policy", "kicad"], capture_output=True, text=True, check=False).stdout
    if _major(said.partition("Candidate:")[2]) >= KICAD_MAJOR:
        return []
    codename = _codename(Path("/etc/os-release").read_text(encoding="utf-8"))
    source = find_source(_source_texts(), codename)
    if source is None:
        raise ToolError(
            f"no apt source for {codename} to derive its backports from; " + _ADVICE % "KiCad's own packages"
        )
    command = [*root, "tee", str(_SOURCES)]
    subprocess.run(command, input=source.backports(codename), text=True, check=True, stdout=subprocess.DEVNULL)
    _apt(root, "update")
    return ["--target-release", f"{codename}-backports"]


def _apt(root: Sequence[str], *arguments: str) -> None:
    """Run apt-get, waiting while another one holds its locks; ToolError when it fails, or waits too long."""
    until_s = time.monotonic() + LOCK_WAIT_S
    code, locked = _apt_once(root, *arguments)
    while locked and time.monotonic() < until_s:
        time.sleep(LOCK_RETRY_S)
        code, locked = _apt_once(root, *arguments)
    if code:
        raise ToolError(f"apt-get {' '.join(arguments)} ended with {code}; run it by hand to see why")


def _apt_once(root: Sequence[str], *arguments: str) -> tuple[int, bool]:
    """Run apt-get and pass on what it says; return its exit status, and True when another one held a lock."""
    settings = ("DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
    wait = ("-o", f"DPkg::Lock::Timeout={LOCK_WAIT_S:.0f}")
    command = [*root, "env", *settings, "apt-get", "-qq", *wait, *arguments]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    sys.stderr.write(done.stderr)
    return done.returncode, done.returncode != 0 and any(words in done.stderr for words in _LOCKED)


def _source_texts() -> list[tuple[str, str]]:
    """Return name and text of apt's source files."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    return [(path.name, path.read_text(encoding="utf-8", errors="replace")) for path in files if path.is_file()]


def find_source(files: Sequence[tuple[str, str]], codename: str) -> Source | None:
    """Return the source of the suite `codename` among apt's `files` (name, text), in either of apt's two forms."""
    for name, text in files:
        for source in _stanzas(text) if name.endswith(".sources") else _one_liners(text):
            if codename in source.suites:
                return source
    return None


def _stanzas(text: str) -> list[Source]:
    """Return the sources of a deb822 file."""
    found = []
    for stanza in re.split(r"\n\s*\n", text):
        lines = [line for line in stanza.splitlines() if line and not line.startswith("#")]
        keys = {key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        if "deb" in keys.get("types", "").split() and keys.get("enabled", "yes") != "no":
            suites = tuple(keys.get("suites", "").split())
            found.append(Source(keys.get("uris", ""), suites, keys.get("components", ""), keys.get("signed-by", "")))
    return found


def _one_liners(text: str) -> list[Source]:
    """Return the sources of a file of `deb` lines."""
    found = []
    for match in re.finditer(r"^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+)$", text, re.MULTILINE):
        options, uri, suite, components = match.groups()
        key = re.search(r"signed-by=(\S+)", options or "")
        found.append(Source(uri, (suite,), components.strip(), key.group(1) if key else ""))
    return found


def _codename(os_release: str) -> str:
    match = re.search(r"^VERSION_CODENAME=\"?(\w+)", os_release, re.MULTILINE)
    return match.group(1) if match else ""


def _major(text: str) -> int:
    match = re.search(r"(\d+)\.\d+", text)
    return int(match.group(1)) if match else 0
