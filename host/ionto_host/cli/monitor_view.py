"""The live view of `ionto monitor` in a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ionto import protocol
from ionto_host.device import messages
from ionto_host.device.answers import STILL_FLOWS, Status
from ionto_host.monitor.history import History, event_line
from ionto_host.units import clock, ma, ma_min

SPARK_WIDTH = 56
EVENT_LINES = 6
_WIDTH = 78
_COLOURS = {
    protocol.HOLD: "green",
    protocol.RAMP_UP: "cyan",
    protocol.RAMP_DOWN: "cyan",
    protocol.REVERSING: "cyan",
    protocol.PAUSED: "yellow",
    protocol.DONE: "bold green",
    protocol.FAULT: "bold red",
}


def render(history: History, title: str, ascii_only: bool = False) -> RenderableType:
    """Return the view of `history` as it is now; `title` names the device."""
    status = history.status
    if status is None:
        return Panel(Text(history.gap or "waiting for the device", style="yellow"), title=title, width=_WIDTH)
    parts: list[RenderableType] = [_facts(status), _charge(status)]
    spark = history.spark(SPARK_WIDTH, ascii_only)
    parts.append(Text.assemble(("current  ", "dim"), (spark, _colour(status))))
    if history.gap:
        text = f"NOT SEEN: {history.gap}. The session goes on, and is shown again once the port is there and free."
        parts.append(Text(text, style="yellow"))
    if status.fault:
        parts.append(Text(f"{status.fault_name}: {messages.message_for(status.fault).action}", style="bold red"))
    lines = [event_line(at_s, text) for at_s, text in list(history.events)[-EVENT_LINES:]]
    parts.append(Text("\n" + "\n".join(lines), style="dim"))
    return Panel(Group(*parts), title=title, width=_WIDTH, border_style="yellow" if history.gap else "none")


def _colour(status: Status) -> str:
    return _COLOURS.get(status.state, "white")


def _facts(status: Status) -> Table:
    table = Table.grid(padding=(0, 3))
    table.add_row(
        Text(status.state_name, style=_colour(status)),
        Text(f"{ma(status.current_ua):.3f} mA", style="bold"),
        f"set-point {ma(status.setpoint_ua):.3f} mA",
        load_text(status),
    )
    left = f"{clock(status.remaining_ms / 1000)} left"
    supply = f"rail {status.rail_mv / 1000:.1f} V, battery {status.vsys_mv / 1000:.2f} V"
    table.add_row("", f"{clock(status.elapsed_ms / 1000)} gone", left if status.running else "", supply)
    return table


def load_text(status: Status) -> str:
    """Return voltage and resistance of the load; without current they mean nothing."""
    if status.current_when_off:
        return STILL_FLOWS
    if not status.flag(protocol.FLAG_OUTPUT_ON):
        return "output off"
    pole = "-" if status.flag(protocol.FLAG_REVERSED) else "+"
    limited = "  POOR CONTACT" if status.flag(protocol.FLAG_CONTACT_LIMITED) else ""
    return f"{pole} {status.load_mv / 1000:.1f} V  {status.load_ohm / 1000:.1f} kohm{limited}"


def _charge(status: Status) -> Table:
    table = Table.grid(padding=(0, 1))
    share = f"{status.charge_uc / status.dose_uc:.0%}" if status.dose_uc else "no dose"
    bar = ProgressBar(
        total=status.dose_uc or 1,
        completed=min(status.charge_uc, status.dose_uc),
        width=36,
        complete_style=_colour(status),
    )
    charge = f"{ma_min(status.charge_uc):.3f} of {ma_min(status.dose_uc):g} mA*min"
    table.add_row(Text("charge  ", style="dim"), bar, share, charge)
    return table
