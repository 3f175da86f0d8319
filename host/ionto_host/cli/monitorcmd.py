"""The command that watches a session."""

from __future__ import annotations

from typing import Any

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from ionto import protocol
from ionto_host import messages
from ionto_host.cli.common import (
    Answer,
    IontoCommand,
    examples,
    note,
    open_device,
    print_json,
    settings,
    stderr,
)
from ionto_host.cli.session import current_warning, status_data
from ionto_host.device import Status
from ionto_host.errors import ExitCode
from ionto_host.monitor import INTERVAL_S, ended_in_fault, follow
from ionto_host.units import clock, ma, ma_min


@click.command(cls=IontoCommand)
@click.option("--timeout", type=click.FloatRange(min=0), help="Give up after this many seconds.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.05),
    default=INTERVAL_S,
    show_default=True,
    help="Seconds between two looks at the device.",
)
@click.option("--wait", is_flag=True, help="Wait for a session to begin.")
def monitor(timeout: float | None, interval: float, wait: bool) -> Answer:
    """Watch the session until it ends: state, current, voltage, load, charge, time left.

    Ctrl-C ends the watching, not the session. Exit code 5 when the session ends in a fault. With --json every
    look is one line.
    """
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[facts]}"),
        console=stderr(),
        disable=settings().json,
        refresh_per_second=5,
    )
    try:
        return _answer(_watch(bar, interval, timeout, wait))
    except KeyboardInterrupt:
        note("No longer watching; the session goes on. `ionto abort` ends it.")
        raise


def _watch(bar: Progress, interval_s: float, timeout_s: float | None, wait: bool) -> Status | None:
    """Show every status until the session has ended; return the last one."""
    status: Status | None = None
    with open_device() as device, bar:
        task = bar.add_task("connecting", total=None, facts="")
        for status in follow(device, interval_s=interval_s, timeout_s=timeout_s, wait=wait):
            if settings().json:
                print_json(status_data(status))
            bar.update(task, **_columns(status))
    return status


def _columns(status: Status) -> dict[str, Any]:
    facts = (
        f"{ma(status.current_ua):.3f} mA  {_load(status)}  "
        f"{ma_min(status.charge_uc):.2f}/{ma_min(status.dose_uc):g} mA*min  "
        f"{clock(status.remaining_ms / 1000)} left"
    )
    return {
        "description": f"{status.state_name:<9}",
        "completed": min(status.charge_uc, status.dose_uc),
        "total": status.dose_uc or None,
        "facts": facts,
    }


def _load(status: Status) -> str:
    """Return voltage and resistance of the load; without current they mean nothing."""
    if status.current_when_off:
        return "CURRENT STILL FLOWS"
    if not status.flag(protocol.FLAG_OUTPUT_ON):
        return "output off"
    pole = "-" if status.flag(protocol.FLAG_REVERSED) else "+"
    limited = "  POOR CONTACT" if status.flag(protocol.FLAG_CONTACT_LIMITED) else ""
    return f"{pole}  {status.load_mv / 1000:.1f} V  {status.load_ohm / 1000:.1f} kohm{limited}"


def _answer(status: Status | None) -> Answer:
    """Return the end in words; with `--json` the last line has said it."""
    if status is None:
        return Answer(None, "")
    if ended_in_fault(status):
        message = messages.message_for(status.fault)
        text = f"Fault {status.fault_name}: {message.text}. {message.action}"
        return Answer(None, current_warning(status) + text, ExitCode.FAULT)
    code = ExitCode.FAULT if status.current_when_off else ExitCode.OK
    return Answer(None, current_warning(status) + _ending(status), code)


def _ending(status: Status) -> str:
    if not status.outcome:
        return "No session has run. Start one with `ionto start`."
    dose = f"{ma_min(status.charge_uc):.3f} of {ma_min(status.dose_uc):g} mA*min"
    time = clock(status.elapsed_ms / 1000)
    short_uc = status.dose_uc - status.charge_uc
    short = f" {ma_min(short_uc):.3f} mA*min are missing: the contact was too poor for the time allowed."
    ended = f"Session {status.session_id}: {status.outcome_name}, {dose} in {time} min:s."
    return ended + (short if status.outcome == protocol.TIME_ENDED and short_uc > 0 else "")


examples("ionto monitor", "ionto monitor --timeout 1800", "ionto monitor --json | jq .current_ua")(monitor)

COMMANDS = (monitor,)
