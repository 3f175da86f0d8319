"""Installing the firmware: what differs is copied, everything is verified by hash, the manifest comes last.

While files change, main.py and the manifest are absent, so that an interrupted run leaves a board that does
nothing; the next run completes it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ionto.version import FIRMWARE_VERSION
from ionto_host.device import Device, Hello
from ionto_host.errors import (
    BoardError,
    IntegrityError,
    IontoError,
    NoAnswerError,
    NoDeviceError,
    NoFirmwareError,
    PortVanishedError,
    ProtocolError,
    TransportError,
    VersionMismatchError,
)
from ionto_host.firmware_files import (
    LIB_FOLDER,
    MAIN_PATH,
    MANIFEST_PATH,
    OUTSIDE_LIB_FOLDER,
    Bundle,
    FirmwareFile,
    build,
)
from ionto_host.hand import with_hand
from ionto_host.mpremote_link import Implementation, Prompt, wait_for_prompt
from ionto_host.patience import patient
from ionto_host.transport.link import Link
from ionto_host.transport.ports import discover, open_port

FOLDERS = ["/lib", LIB_FOLDER]
PROMPT_WAIT_S = 15.0
RESTART_WAIT_S = 20.0
PROBE_TIMEOUT_S = 0.5

Progress = Callable[[str, int, int], None]  # (what is done, bytes done, bytes in all)


@dataclass(frozen=True)
class Plan:
    """What a flash run changes: files to write (main.py and the manifest last) and files to remove."""

    write: tuple[FirmwareFile, ...] = ()
    remove: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Bytes to be written."""
        return sum(len(item.data) for item in self.write)


@dataclass(frozen=True)
class FlashResult:
    """What a flash run did, and who answered afterwards (None for a dry run)."""

    port: str
    machine: str
    micropython: str
    architecture: str
    firmware: str
    written: list[str]
    removed: list[str]
    unchanged: list[str]
    size_bytes: int
    dry_run: bool
    hello: Hello | None = field(default=None)


@dataclass(frozen=True)
class VersionCheck:
    """What a dry run learns from a running application without ending it: the versions, not the files."""

    port: str
    running: str
    firmware: str
    hello: Hello
    dry_run: bool = True


def flash(port: str, progress: Progress, tell: Callable[[str], None] = lambda text: None) -> FlashResult:
    """Install the firmware on the board at `port` and shake hands with it.

    `progress` is told what happens, `tell` what a person has to press. Raises `RefusedError` while current flows,
    `BoardError` or `CompileError` when the board does not follow, `IntegrityError` when a file reads back differently.
    """
    finder = _PortFinder(port)
    progress("entering the MicroPython prompt", 0, 0)
    try:
        leave_application(port, tell)
    except PortVanishedError as error:
        raise BoardError(error.message) from error
    prompt = wait_for_prompt(finder.current, PROMPT_WAIT_S)
    try:
        implementation, bundle, plan = _compare(prompt)
        install(prompt, plan, progress)
        verify(prompt, bundle)
        progress("restarting the board", plan.size_bytes, plan.size_bytes)
        prompt.reset()
    finally:
        prompt.close()
    hello = wait_for_hello(finder.current)
    return _result(finder.current(), implementation, bundle, plan, hello)


def dry_run(port: str) -> FlashResult | VersionCheck:
    """Return what `flash` would change on a board at its prompt; of a running application only its version.

    Nothing is changed and no application is ended. Raises `RefusedError` while current flows, `NoAnswerError`
    when neither an application nor a prompt answers.
    """
    link = Link(open_port(port), port)
    try:
        hello = Device(link).hello(timeout_s=PROBE_TIMEOUT_S, tries=2)
        return VersionCheck(port, hello.firmware, FIRMWARE_VERSION, hello)
    except NoFirmwareError:
        pass
    except NoAnswerError:
        if not link.at_prompt():
            raise
    finally:
        link.close()
    prompt = wait_for_prompt(lambda: port, PROMPT_WAIT_S)
    try:
        return _result(port, *_compare(prompt), None)
    finally:
        prompt.close()


def _compare(prompt: Prompt) -> tuple[Implementation, Bundle, Plan]:
    """Return which MicroPython the board runs, the firmware for it, and what differs."""
    implementation = prompt.implementation()
    bundle = build(implementation.mpy)
    return implementation, bundle, make_plan(bundle, prompt.hashes([LIB_FOLDER], list(OUTSIDE_LIB_FOLDER)))


def leave_application(port: str, tell: Callable[[str], None] = lambda text: None) -> None:
    """Ask a running application for the MicroPython prompt; nothing to do on a board without one."""
    link = Link(open_port(port), port)
    try:
        device = Device(link)
        with contextlib.suppress(NoAnswerError, NoFirmwareError):
            with contextlib.suppress(VersionMismatchError, ProtocolError):
                device.hello(timeout_s=PROBE_TIMEOUT_S, tries=2)
            with_hand(device.enter_maintenance, tell)
    finally:
        link.close()


def make_plan(bundle: Bundle, present: dict[str, str]) -> Plan:
    """Return what turns a board with `present` ({path: SHA-256}) into one with `bundle`."""
    wanted = {item.path: item for item in (*bundle.files, bundle.manifest())}
    stale = tuple(sorted(path for path in present if path not in wanted))
    changed = [item for item in wanted.values() if present.get(item.path) != item.digest]
    if changed or stale:
        last = [wanted[MAIN_PATH], wanted[MANIFEST_PATH]]
        changed = [item for item in changed if item not in last] + last
    unchanged = tuple(path for path in wanted if wanted[path] not in changed)
    guards = [path for path in (MAIN_PATH, MANIFEST_PATH) if changed and path in present]
    return Plan(tuple(changed), (*guards, *stale), unchanged)


def install(prompt: Prompt, plan: Plan, progress: Progress) -> None:
    """Carry out `plan`: removals first, then every file, main.py and the manifest last."""
    for path in plan.remove:
        prompt.remove(path)
    if plan.write:
        prompt.make_folders(FOLDERS)
    done = 0
    for item in plan.write:

        def step(count: int, path: str = item.path) -> None:
            nonlocal done
            done += count
            progress(path, done, plan.size_bytes)

        prompt.write(item.path, item.data, step)


def verify(prompt: Prompt, bundle: Bundle) -> None:
    """Compare every file on the board with `bundle`; `IntegrityError` names those that differ."""
    present = prompt.hashes([LIB_FOLDER], list(OUTSIDE_LIB_FOLDER))
    wanted = {item.path: item.digest for item in (*bundle.files, bundle.manifest())}
    wrong = sorted(path for path in {*present, *wanted} if present.get(path) != wanted.get(path))
    if wrong:
        raise IntegrityError(
            f"these files on the board are not what was written: {', '.join(wrong)}",
            "Run `ionto flash` again; if it repeats, the flash memory of the board is worn or full.",
        )


def wait_for_hello(port: Callable[[], str], timeout_s: float = RESTART_WAIT_S) -> Hello:
    """Return the HELLO of the restarted board; `BoardError` with what it printed when none comes."""
    deadline = time.monotonic() + patient(timeout_s)
    while True:
        try:
            return _hello(port())
        except (TransportError, NoDeviceError, NoFirmwareError) as error:
            if time.monotonic() >= deadline:
                raise _silent_board(error) from error
            time.sleep(0.1)


def _hello(port: str) -> Hello:
    link = Link(open_port(port), port)
    try:
        return Device(link).hello(timeout_s=PROBE_TIMEOUT_S, tries=2)
    finally:
        link.close()


def _silent_board(error: IontoError) -> BoardError:
    printed = str(error.details.get("text", "")).strip()
    tail = f"; the board printed: {printed[-300:]}" if printed else ""
    return BoardError(f"the firmware is installed and does not answer: {error.message}{tail}")


class _PortFinder:
    """Names the board's port, also when it comes back under another name after a restart."""

    def __init__(self, port: str) -> None:
        self.port = port
        self.serial_number = next((info.serial_number for info in discover() if info.port == port), "")

    def current(self) -> str:
        """Return the port the board has now, or the last one it had."""
        if self.serial_number:
            self.port = next((info.port for info in discover() if info.serial_number == self.serial_number), self.port)
        return self.port


def _result(port: str, implementation: Implementation, bundle: Bundle, plan: Plan, hello: Hello | None) -> FlashResult:
    return FlashResult(
        port=port,
        machine=implementation.machine,
        micropython=implementation.version,
        architecture=bundle.architecture,
        firmware=bundle.firmware,
        written=[item.path for item in plan.write],
        removed=[path for path in plan.remove if path not in {item.path for item in plan.write}],
        unchanged=list(plan.unchanged),
        size_bytes=plan.size_bytes,
        dry_run=hello is None,
        hello=hello,
    )
