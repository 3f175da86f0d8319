"""Installing the firmware: what differs is copied, everything is verified by hash, the manifest comes last.

While files change, main.py and the manifest are absent, so that an interrupted run leaves a board that does
nothing; the next run completes it.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum

from ionto.protocol import FLAG_LOG_OPEN as LOG_OPEN
from ionto.version import FIRMWARE_VERSION
from ionto_host.board.firmware_files import (
    LIB_FOLDER,
    MAIN_PATH,
    MANIFEST_PATH,
    OUTSIDE_LIB_FOLDER,
    Bundle,
    FirmwareFile,
    build,
    manifest_body,
)
from ionto_host.board.mpremote_link import Implementation, Prompt, wait_for_prompt
from ionto_host.board.tracebacks import readable
from ionto_host.device import versions
from ionto_host.device.answers import Check, Hello
from ionto_host.device.client import Device
from ionto_host.device.hand import with_hand
from ionto_host.device.opening import open_link
from ionto_host.errors import (
    BoardError,
    DeviceFaultError,
    IntegrityError,
    IontoError,
    NoAnswerError,
    NoDeviceError,
    NoFirmwareError,
    PortVanishedError,
    ProtocolError,
    RefusedError,
    TransportError,
    VersionMismatchError,
)
from ionto_host.patience import patient
from ionto_host.transport.ports import PortFinder

FOLDERS = ["/lib", LIB_FOLDER]
PROMPT_WAIT_S = 15.0
RESTART_WAIT_S = 20.0
PROBE_TIMEOUT_S = 0.5
GLANCE_S = 0.1  # a prompt answers at once; a firmware does not, and is asked then
LOG_WAIT_S = 10.0

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
    """What a flash run did, who answered afterwards (None for a dry run), and how the self-test went."""

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
    hello: Hello | None = None
    selftest: list[Check] | None = None
    selftest_refused: str = ""


@dataclass(frozen=True)
class VersionCheck:
    """What a dry run learns from a running application without ending it: the versions, not the files."""

    port: str
    running: str
    firmware: str
    hello: Hello
    dry_run: bool = True


class Stage(Enum):
    """How far a run is; the value says what the board is when it ends here."""

    LOOKING = "Nothing on the board was changed."
    BOOTSEL = "The board waits in BOOTSEL, nothing on it was changed. `ionto flash` again goes on."
    IMAGE = "MicroPython is half written: the board stays in BOOTSEL. `ionto flash` again completes it."
    WAITING = "MicroPython is on the board, the firmware not yet. `ionto flash` again completes it."
    FILES = "The board holds half a firmware and does nothing, output off. `ionto flash` again completes it."
    RESTART = "The firmware is installed and verified; the board restarts. `ionto status` shows whether it answers."
    TESTING = "The firmware is installed and answers; the self-test was not waited for. `ionto selftest` repeats it."


def _ignore(*_: object) -> None:
    """Do nothing with what happens."""


@dataclass
class Watch:
    """Who is told about a run: `progress` what is written, `tell` what a person has to do; `stage` is how far it is."""

    progress: Progress = _ignore
    tell: Callable[[str], None] = _ignore
    stage: Stage = Stage.LOOKING


def flash(port: str, watch: Watch, *, force: bool = False, self_test: bool = True) -> FlashResult:
    """Install the firmware on the board at `port`, restart it, shake hands, set its clock and run its self-test.

    Raises `RefusedError` while a session is under way and for a newer firmware on the board, unless `force`;
    `BoardError` or `CompileError` when the board does not follow, `IntegrityError` when a file reads back differently.
    """
    finder = PortFinder(port)
    watch.progress("entering the MicroPython prompt", 0, 0)
    with _lost_port():
        leave_application(port, watch.tell, force)
    prompt = wait_for_prompt(finder.current, PROMPT_WAIT_S)
    try:
        implementation, bundle, plan = _look(prompt, force)
        watch.stage = Stage.FILES if plan.write or plan.remove else Stage.LOOKING
        install(prompt, plan, watch.progress)
        verify(prompt, bundle)
        watch.stage = Stage.RESTART
        watch.progress("restarting the board", plan.size_bytes, plan.size_bytes)
        prompt.reset()
    finally:
        prompt.close()
    hello = wait_for_hello(finder.current)
    result = _result(finder.current(), implementation, bundle, plan, hello)
    return _tested(result, watch) if self_test else result


@contextlib.contextmanager
def _lost_port() -> Iterator[None]:
    try:
        yield
    except PortVanishedError as error:
        raise BoardError(error.message) from error


def _look(prompt: Prompt, force: bool) -> tuple[Implementation, Bundle, Plan]:
    """Return what `_compare` does; a board that nothing is written to goes back to what it ran."""
    try:
        if not force:
            refuse_newer(_installed_version(prompt))
        return _compare(prompt)
    except BaseException:
        with contextlib.suppress(BoardError):
            prompt.reset()
        raise


def _installed_version(prompt: Prompt) -> str:
    """Return the firmware version that the board's manifest names, "" without one."""
    try:
        return str(manifest_body(prompt.read(MANIFEST_PATH) or b"{}").get("firmware", ""))
    except ValueError:
        return ""


def refuse_newer(found: str) -> None:
    """Raise `RefusedError` when the firmware version `found` is newer than the one of this tool."""
    if versions.is_newer(found):
        raise RefusedError(
            f"the board has firmware {found}, newer than {FIRMWARE_VERSION} of this tool; nothing was changed",
            "Update this tool, or install the older firmware all the same with `ionto flash --force`.",
            found=found,
            offered=FIRMWARE_VERSION,
        )


def _tested(result: FlashResult, watch: Watch) -> FlashResult:
    """Return `result` with the clock set and the outcome of the self-test, which a board without circuit fails."""
    watch.stage = Stage.TESTING
    watch.progress("self-test", result.size_bytes, result.size_bytes)
    link = open_link(result.port)
    try:
        device = Device(link)
        device.set_clock()
        return replace(result, selftest=device.self_test())
    except (RefusedError, DeviceFaultError) as error:
        return replace(result, selftest_refused=error.message)
    finally:
        link.close()


def dry_run(port: str, force: bool = False) -> FlashResult | VersionCheck:
    """Return what `flash` would change on a board at its prompt; of a running application only its version.

    Nothing is changed and no application is ended. Raises `RefusedError` where `flash` would, `NoAnswerError`
    when neither an application nor a prompt answers.
    """
    link = open_link(port)
    try:
        device = Device(link)
        hello = device.hello(timeout_s=PROBE_TIMEOUT_S, tries=2)
        if not force:
            refuse_session(device)
            refuse_newer(hello.firmware)
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
        if not force:
            refuse_newer(_installed_version(prompt))
        return _result(port, *_compare(prompt), None)
    finally:
        prompt.close()


def _compare(prompt: Prompt) -> tuple[Implementation, Bundle, Plan]:
    """Return which MicroPython the board runs, the firmware for it, and what differs."""
    implementation = prompt.implementation()
    bundle = _built(implementation.mpy)
    return implementation, bundle, make_plan(bundle, prompt.hashes([LIB_FOLDER], list(OUTSIDE_LIB_FOLDER)))


@functools.cache
def _built(mpy: int) -> Bundle:
    """Return what `build` does; compiled once a process."""
    return build(mpy)


def leave_application(port: str, tell: Callable[[str], None] = _ignore, force: bool = False) -> None:
    """Ask a running application for the MicroPython prompt; nothing to do on a board without one.

    `RefusedError` while a session is under way, which `force` ends, and for a newer firmware unless `force`.
    """
    link = open_link(port)
    try:
        if link.at_prompt(GLANCE_S):
            return
        device = Device(link)
        with contextlib.suppress(NoAnswerError, NoFirmwareError):
            with contextlib.suppress(VersionMismatchError, ProtocolError):
                found = device.hello(timeout_s=PROBE_TIMEOUT_S, tries=2).firmware
                if not force:
                    refuse_newer(found)
                    refuse_session(device)
            if force:
                end_session(device)
            with_hand(device.enter_maintenance, tell)
    finally:
        link.close()


def refuse_session(device: Device) -> None:
    """Raise `RefusedError` while a session is under way."""
    status = device.status()
    if status.running:
        raise RefusedError(
            f"a session is under way ({status.state_name}); nothing was changed",
            "Wait for its end or end it with `ionto abort`; `ionto flash --force` ends it by itself.",
            state=status.state_name,
        )


def end_session(device: Device) -> None:
    """End a session that is under way, and wait until its log is written."""
    device.abort()
    deadline = time.monotonic() + patient(LOG_WAIT_S)
    with contextlib.suppress(ProtocolError):  # a status record of another version
        while device.status().flag(LOG_OPEN) and time.monotonic() < deadline:
            time.sleep(0.1)


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
    link = open_link(port)
    try:
        return Device(link).hello(timeout_s=PROBE_TIMEOUT_S, tries=2)
    finally:
        link.close()


def _silent_board(error: IontoError) -> BoardError:
    printed = readable(str(error.details.get("text", ""))).strip()
    tail = f"; the board printed: {printed[-300:]}" if printed else ""
    return BoardError(f"the firmware is installed and does not answer: {error.message}{tail}")


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
