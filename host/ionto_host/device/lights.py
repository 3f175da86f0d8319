"""The page docs/lights.md, made from the firmware's tables: `python -m ionto_host.device.lights > docs/lights.md`."""

from __future__ import annotations

from ionto import faults, protocol, ui
from ionto_host.tables import fault_names

_HEAD = """\
# Lights and sound

Made from `firmware/lib/ionto/ui.py` by `python -m ionto_host.device.lights`; a test keeps it current. A pattern lasts
{round_s:.1f} s and repeats: `#` on, `.` off. The buzzer falls silent after {quiet_s} s, the lights stay.

Hold START for 2 to 10 s and let go: at rest it starts a session, in PAUSED it resumes, in HOLD it reports stinging and
lowers the current by a quarter for the rest of the session. It never goes up; at its least the session
ramps down and ends.

## States

| state | ready LED | current LED | fault LED | buzzer |
|---|---|---|---|---|
"""
_FAULTS = """
## Faults

In FAULT count how often the fault LED flashes before it rests. The ready LED tells when it was found: dark, in a
session or at rest; lit, by the self-test, before any dose. `ionto status` names the fault and the next action.

| flashes | what it is about | faults |
|---|---|---|
"""


def page() -> str:
    """Return the page as Markdown."""
    rows = [_row(protocol.STATES[state], pattern) for state, pattern in sorted(ui.PATTERNS.items())]
    rows.append(_row("log being written", ui.WRITING))
    rows.append(_row("START pressed and refused, once", ui.REFUSED))
    rows.append(_row("long START in HOLD: stinging heard, lower current, once", ui.LOWERED))
    head = _HEAD.format(round_s=ui.STEPS * ui.STEP_MS / 1_000, quiet_s=ui.QUIET_AFTER_S)
    return head + "".join(rows) + _FAULTS + "".join(_group_row(group) for group in sorted(ui.GROUPS))


def _row(name: str, pattern: tuple[str, ...]) -> str:
    return f"| {name} | " + " | ".join(f"`{row}`" for row in pattern) + " |\n"


def _group_row(group: int) -> str:
    names = [
        name for code, name in sorted(fault_names().items()) if faults.is_fault(code) and ui.group_of(code) == group
    ]
    return f"| {group} | {ui.GROUPS[group]} | {', '.join(names)} |\n"


if __name__ == "__main__":
    print(page(), end="")
