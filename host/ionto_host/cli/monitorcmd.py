"""The command that watches a session."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click

from ionto import protocol
from ionto_host.cli.common import (
    Answer,
    IontoCommand,
    examples,
    is_terminal,
    meet,
    note,
    open_device,
    port_name,
    print_json,
    settings,
    stderr,
)
from ionto_host.cli.session import current_warning, status_data
from ionto_host.device import messages
from ionto_host.device.answers import Status, ended_in_fault
from ionto_host.errors import ExitCode, IontoError
from ionto_host.logs import store as logstore
from ionto_host.logs.watched import Keeper
from ionto_host.monitor.history import History, cut_words, event_line
from ionto_host.monitor.watching import INTERVAL_S, Gap, Look, watch
from ionto_host.units import clock, ma_min

if TYPE_CHECKING:
    from ionto_host.monitor.plot import LivePlot


@click.command(cls=IontoCommand)
@click.option("--timeout", type=click.FloatRange(min=0), help="Give up after this many seconds.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.05),
    default=INTERVAL_S,
    show_default=True,
    help="Seconds between two looks at the device.",
)
@click.option("--wait", is_flag=True, help="Wait for a session to begin, and for a device to appear.")
@click.option("--plot", is_flag=True, help="Draw current and voltage in a window as well (extra `plot`).")
def monitor(timeout: float | None, interval: float, wait: bool, plot: bool) -> Answer:
    """Watch the session until it ends: state, current, voltage, load, charge, time left, events.

    Survives a cable that is pulled out and plugged in again: the session goes on without the computer. The port is free
    between two looks: `ionto pause`, `ionto abort` and the like work in another terminal. Ctrl-C ends the watching, not
    the session. Exit code 5 when the session ends in a fault, or was cut short by a reset or a loss of power: while it
    was watched, or before, as long as its log is not pulled. With --json every look is one line; where stderr is no
    terminal, every event is one.

    What is seen of a session is kept beside the logs of its board, once a second and at each change: when the session
    is cut short, `ionto logs show` has it, marked as seen by the host.
    """
    history, keeper = History(), Keeper(logstore.board_folder)
    settings().opened = True
    try:
        with _window(plot) as window, _screen(history) as refresh:
            pause, told = window.pause if window else time.sleep, False
            for look in watch(
                port_name(), interval_s=interval, timeout_s=timeout, wait=wait, pause=pause, keeper=keeper, meet=meet
            ):
                _take(history, look)
                told = _tell_trouble(keeper, told)
                refresh()
                if window:
                    window.update(history)
    except KeyboardInterrupt:
        note("No longer watching.")
        raise
    return _answer(history)


def _tell_trouble(keeper: Keeper, told: bool) -> bool:
    """Say once that what is seen is not kept any more."""
    if keeper.trouble and not told:
        note(f"Warning: what is seen is not kept beside the logs: {keeper.trouble}")
    return bool(keeper.trouble)


def _take(history: History, look: Look) -> None:
    happened = history.add(look)
    if settings().json:
        print_json({"gap": look.reason} if isinstance(look, Gap) else status_data(look))
    elif not is_terminal():
        for text in happened:
            note(event_line(history.events[-1][0], text))


@contextmanager
def _screen(history: History) -> Iterator[Callable[[], None]]:
    """Yield what draws the live view; nothing where nobody looks."""
    if settings().json or not is_terminal():
        yield _nothing
        return
    from rich.live import Live

    from ionto_host.cli.monitor_view import render

    console = stderr()
    title = port_name() or "IontoPico"
    plain = console.options.ascii_only

    with Live(render(history, title, plain), console=console, refresh_per_second=8) as live:
        yield lambda: live.update(render(history, title, plain))


@contextmanager
def _window(wanted: bool) -> Iterator[LivePlot | None]:
    """Yield the window if it is `wanted`; at the end it stays until the person closes it."""
    if not wanted:
        yield None
        return
    from ionto_host.monitor.plot import LivePlot

    window = LivePlot()
    yield window
    note("The session is over; close the window to go on.")
    window.stay()


def _nothing() -> None:
    """Draw nothing."""


def _answer(history: History) -> Answer:
    """Return the end in words; with `--json` the last line has said it, but for a session that was cut short."""
    status = history.status
    if status is None:
        return Answer(None, "")
    lost = [] if status.outcome else _cut_short(history)
    data = {"cut_short": lost} if lost else None
    bad = bool(lost) or status.current_when_off or ended_in_fault(status)
    first = [_fault(status)] if ended_in_fault(status) else [] if lost else [_ending(status)]
    text = "\n".join([*first, *lost])
    return Answer(data, current_warning(status) + text, ExitCode.FAULT if bad else ExitCode.OK)


def _fault(status: Status) -> str:
    message = messages.message_for(status.fault)
    return f"Fault {status.fault_name}: {message.text}. {message.action}"


def _cut_short(history: History) -> list[str]:
    """Return what there is to say of a session that was cut short, while it was watched or before; empty for none."""
    told = [f"{words[:1].upper()}{words[1:]}." for words in ([cut_words(history.cut)] if history.cut else [])]
    with suppress(IontoError), open_device() as device:
        unpulled = device.identity.unpulled
        told += [f"By the board, {messages.cut_short(unpulled)}. {messages.PULL}"] if unpulled else []
    return told


def _ending(status: Status) -> str:
    if not status.outcome:
        return "No session has run since the board came up. Start one with `ionto start`."
    dose = f"{ma_min(status.charge_uc):.3f} of {ma_min(status.dose_uc):g} mA*min"
    time = clock(status.elapsed_ms / 1000)
    short_uc = status.dose_uc - status.charge_uc
    why = "the contact was too poor for the time allowed"
    if status.comfort_count:
        why = "the current was lowered for comfort, or the contact was too poor (`ionto logs show` says which)"
    short = f" {ma_min(short_uc):.3f} mA*min are missing: {why}."
    ended = f"Session {status.session_id}: {status.outcome_name}, {dose} in {time} min:s."
    return ended + (short if status.outcome == protocol.TIME_ENDED and short_uc > 0 else "")


examples(
    "ionto monitor",
    "ionto monitor --wait --timeout 1800",
    "ionto monitor --plot",
    "ionto monitor --json | jq .current_ua",
)(monitor)

COMMANDS = (monitor,)
