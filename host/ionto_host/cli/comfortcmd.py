"""`ionto comfort`: what a person feels, put into the session's log; stinging offers a lower current, pain ends."""

from __future__ import annotations

import click

from ionto import protocol
from ionto_host.cli.common import Answer, IontoCommand, can_ask, current_ua, examples, open_device
from ionto_host.cli.session import current_warning, status_data
from ionto_host.device.answers import Status
from ionto_host.errors import ExitCode, UsageError
from ionto_host.logs.sessionfile import FELT
from ionto_host.units import ma

_KINDS = {name: kind for kind, name in FELT.items()}


@click.command(cls=IontoCommand)
@click.argument("felt", type=click.Choice(list(_KINDS)))
@click.option("--lower", is_flag=True, help="Stinging: a quarter less for the rest of the session, without asking.")
@click.option("--keep", is_flag=True, help="Stinging: only put it into the log, without asking.")
@click.option("--to-ma", callback=current_ua, metavar="MA", help="Stinging: this lower current for the rest, in mA.")
def comfort(felt: str, lower: bool, keep: bool, to_ma: int | None) -> Answer:
    """Report what the person feels during a session: tingling, stinging or pain.

    It goes into the session's log with time and current. Tingling changes nothing. Stinging offers a lower current for
    the rest of the session: on a terminal it asks. Pain ramps the current down and ends the session.

    The current is only ever lowered, by a ramp; what would raise it is refused. The time limit of the dose stays, and
    what is missing of the dose at its end is told. Without a computer: hold START for 2 s while the current holds.
    """
    chosen = [name for name, given in (("--lower", lower), ("--keep", keep), ("--to-ma", to_ma is not None)) if given]
    kind = _KINDS[felt]
    if chosen and kind != protocol.STINGING:
        raise UsageError(f"{chosen[0]} belongs to stinging, not to {felt}")
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)} say different things", "Give one of them.")
    if kind == protocol.STINGING and not chosen and not can_ask():
        raise UsageError("stinging: there is no terminal to ask at", "Say --lower, --keep or --to-ma MA.")
    agreed_ua = _asked() if kind == protocol.STINGING and not chosen else 0
    with open_device() as device:
        before = device.status()
        to_ua = _quarter_less(before) if lower else to_ma or agreed_ua
        if agreed_ua >= before.target_ua:
            to_ua = 0  # lowered by the button while the question stood: the report is still logged
        device.comfort(kind, to_ua)
        return _answer(felt, before, device.settled_status(), to_ua)


def _quarter_less(status: Status) -> int:
    """Return the current that is a quarter less than now, in uA, and not below the least of the device."""
    now_ua = status.target_ua
    if status.state == protocol.RAMP_UP:
        now_ua = min(now_ua, max(status.setpoint_ua, status.least_ua))
    return max(status.least_ua, now_ua - now_ua // 4)


def _asked() -> int:
    """Ask at the terminal and return the lower current agreed to, in uA; 0 when declined, or nothing lower is left.

    The port is free while the question stands: a monitor goes on, and `ionto abort` gets through.
    """
    with open_device() as device:
        status = device.status()
    to_ua = _quarter_less(status)
    if not status.running or to_ua >= status.target_ua:
        return 0
    try:
        return to_ua if click.confirm(f"Lower the current for the rest, {_span(status, to_ua)}?", True, err=True) else 0
    except click.Abort:
        with open_device() as device:
            device.comfort(protocol.STINGING)  # not answered: what was felt is still logged
        raise


def _span(status: Status, to_ua: int) -> str:
    return f"from {ma(status.target_ua):.2f} to {ma(to_ua):.2f} mA"


def _answer(felt: str, before: Status, after: Status, to_ua: int) -> Answer:
    text = f"{felt.capitalize()} is in the log, at {ma(before.current_ua):.3f} mA."
    if felt == FELT[protocol.PAIN]:
        text += " The current ramps down and the session ends."
    elif to_ua:
        text += f" The current goes {_span(before, to_ua)} and stays there for the rest; the time limit stays."
    elif felt == FELT[protocol.STINGING]:
        text += f" The current of the session stays at {ma(after.target_ua):.2f} mA."
        if after.target_ua <= after.least_ua:
            text += " It is at its least; `ionto comfort pain` ramps down and ends the session."
    data = {"felt": felt, "from_ma": ma(before.target_ua), "to_ma": ma(to_ua) if to_ua else None, **status_data(after)}
    code = ExitCode.FAULT if after.current_when_off else ExitCode.OK
    return Answer(data, f"{current_warning(after)}{text} The device is in {after.state_name}.", code)


examples(
    "ionto comfort tingling",
    "ionto comfort stinging",
    "ionto comfort stinging --lower --json",
    "ionto comfort stinging --to-ma 1.2",
    "ionto comfort pain",
)(comfort)

COMMANDS = (comfort,)
