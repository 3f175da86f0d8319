"""The command that installs MicroPython and the firmware."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from ionto_host.board import blank, bootsel, flashing
from ionto_host.board.blank import ImagePlan
from ionto_host.board.flashing import FlashResult, Stage, VersionCheck, Watch
from ionto_host.cli.common import (
    Answer,
    IontoCommand,
    examples,
    is_terminal,
    note,
    port_name,
    settings,
    stderr,
)
from ionto_host.device.answers import Check
from ionto_host.errors import IontoError
from ionto_host.transport.drives import Drive


@click.command(cls=IontoCommand)
@click.option(
    "--uf2",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Put this MicroPython image on the board first.",
)
@click.option("--micropython", is_flag=True, help="Put the pinned official MicroPython on the board first.")
@click.option("--drive", type=click.Path(path_type=Path), help="Drive of the board in BOOTSEL. Default: the only one.")
@click.option("--force", is_flag=True, help="End a session that is under way; replace a newer firmware.")
@click.option("--no-self-test", is_flag=True, help="Do not run the self-test afterwards.")
@click.option("--dry-run", is_flag=True, help="Say what would be written; change nothing.")
def flash(
    uf2: Path | None, micropython: bool, drive: Path | None, force: bool, no_self_test: bool, dry_run: bool
) -> Answer:
    """Install the firmware on a board: on a blank Pico in BOOTSEL, or on one that runs MicroPython.

    A board in BOOTSEL (its drive RPI-RP2 is there) gets MicroPython first: the pinned official image, fetched if need
    be and checked against its SHA-256, or the one of --uf2, which needs no network. A board that runs MicroPython keeps
    it, unless --uf2 or --micropython asks for another: then it is sent to its bootloader.

    Then the firmware is compiled for the board, what changed is copied, every file is verified by its hash, old files
    are removed; calibration, limits, dose and logs stay. The board restarts with its output off, its clock is set, and
    it tests itself. Interrupted at any point, it says what the board is now; the next run completes it.

    Refused while a session is under way and for a newer firmware on the board, without --force. A board that runs the
    application wants a hand on it: its bench strap, or START pressed within 10 s.

    With --dry-run a board at its MicroPython prompt is compared file by file. A running application is not ended for
    that: only its version is compared.
    """
    watch = Watch(tell=note)
    with _said(watch):
        found = bootsel.choose(drive) if drive or not settings().port else None
        if dry_run:
            return _dry_run(found, uf2, force)
        with _bar(watch):
            wanted = uf2 is not None or micropython
            port = blank.with_micropython(found, port_name(), watch, uf2_file=uf2, wanted=wanted, force=force)
            watch.tell(f"installing the firmware on {port}")
            result = flashing.flash(port, watch, force=force, self_test=not no_self_test)
    return Answer(result, _flash_text(result))


@contextmanager
def _said(watch: Watch) -> Iterator[None]:
    """Let an interruption or an error say what the board is now."""
    try:
        yield
    except KeyboardInterrupt:
        settings().left = watch.stage.value
        raise
    except IontoError as error:
        error.details["stage"] = watch.stage.name.lower()
        if watch.stage is not Stage.LOOKING:
            error.action = f"{watch.stage.value} {error.action}"
        raise


@contextmanager
def _bar(watch: Watch) -> Iterator[None]:
    """Show the progress of `watch` while the run lasts."""
    hidden = settings().json or not is_terminal()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=stderr(), disable=hidden) as bar:
        task = bar.add_task("connecting", total=None)

        def progress(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total or None)

        watch.progress = progress
        if not hidden:
            watch.tell = bar.console.print
        yield


def _dry_run(found: Drive | None, uf2: Path | None, force: bool) -> Answer:
    if found is not None:
        plan = blank.plan(found, uf2)
        return Answer(plan, _image_text(plan))
    port = blank.with_micropython(None, port_name(), Watch())
    compared = flashing.dry_run(port, force)
    return Answer(compared, _flash_text(compared) if isinstance(compared, FlashResult) else _version_text(compared))


def _image_text(plan: ImagePlan) -> str:
    kind = "official" if plan.official else "NOT the official image"
    return (
        f"Would write {plan.image} ({kind}, SHA-256 {plan.sha256[:16]}...) to {plan.drive},\n"
        f"wait for the port, then install firmware {plan.firmware}."
    )


def _version_text(compared: VersionCheck) -> str:
    text = f"{compared.port} runs firmware {compared.running}; `ionto flash` installs {compared.firmware}."
    return f"{text}\nIts files were not compared: that would end the application."


def _flash_text(result: FlashResult) -> str:
    count, size = len(result.written), f"{result.size_bytes / 1000:.1f} kB"
    target = f"{result.machine}, MicroPython {result.micropython}, {result.architecture or 'no native code'}"
    if result.dry_run:
        lines = [f"Would write {count} files, {size}, to {result.port} ({target}):", *result.written]
        return "\n  ".join([*lines, *(f"remove {path}" for path in result.removed)])
    did = f"{count} files, {size} written" if count else "everything was up to date"
    text = f"Firmware {result.firmware} on {result.port} ({target}): {did}, {len(result.unchanged)} unchanged."
    if result.hello is None:
        return text
    hello, highest = result.hello, result.hello.limits.get("max_current_ua", 0) / 1_000
    answers = f"Board {hello.board_id}, variant {hello.variant} (up to {highest:g} mA), answers."
    return "\n".join([text, answers, *_next_lines(result)])


def _next_lines(result: FlashResult) -> list[str]:
    """Return how the self-test went and what to do next."""
    if result.selftest_refused:
        return [f"Self-test not run: {result.selftest_refused}.", "Next: `ionto status`, then `ionto selftest`."]
    if result.selftest is None:
        return ["Next: `ionto selftest`."]
    failed = [check for check in result.selftest if not check.ok]
    if not failed:
        return ["Self-test passed.", "Next: `ionto dose push FILE`, then `ionto start`; `ionto doctor` looks closer."]
    return [f"Self-test: {_failed_text(failed[0])}", "Next: `ionto doctor`; when it is put right, `ionto clear`."]


def _failed_text(check: Check) -> str:
    if "sensor" in check.name:
        return f"{check.name} FAILED. As expected of a Pico without its circuit: build it, see docs/user_guide.md."
    if check.name == "load present":
        return f"{check.name} FAILED. Connect a resistor of 1 k to 4.7 k where the electrodes would go."
    return f"{check.name} FAILED, found {check.value} {check.unit}".rstrip() + "."


examples(
    "ionto flash",
    "ionto flash --dry-run",
    "ionto flash --uf2 RPI_PICO-20260406-v1.28.0.uf2",
    "ionto flash --micropython --port /dev/ttyACM0",
    "ionto flash --drive /media/me/RPI-RP2",
)(flash)

COMMANDS = (flash,)
