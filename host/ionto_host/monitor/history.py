"""What a monitor remembers of a session: the course of current and voltage, and what happened when."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from ionto import faults, protocol
from ionto_host.device import messages
from ionto_host.device.answers import Status
from ionto_host.logs.sessionfile import FELT
from ionto_host.monitor.watching import Gap, Look
from ionto_host.units import clock, ma, ma_min

KEPT_POINTS = 20_000  # 80 minutes at four a second
KEPT_EVENTS = 200
_SPARKS = "▁▂▃▄▅▆▇█"
_ASCII_SPARKS = "_.-=+*%#"

_FLAGS = {
    protocol.FLAG_CONTACT_LIMITED: ("poor contact: less current, more time", "the contact is good again"),
    protocol.FLAG_STOP_OPEN: ("STOP is pressed", "STOP is released"),
    protocol.FLAG_REVERSED: ("polarity -", "polarity +"),
}


@dataclass
class History:
    """Feed it every look with `add`; `status` is the last status, `gap` the reason why there is none now.

    `cut` is the last status of a session that a reset or a loss of power cut short while it was watched.
    """

    status: Status | None = None
    gap: str = ""
    cut: Status | None = None
    points: deque[tuple[float, int, int, int]] = field(default_factory=lambda: deque(maxlen=KEPT_POINTS))
    events: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))

    def add(self, look: Look) -> list[str]:
        """Take one look; return what has happened since the last one, in words, which `events` keeps with its time."""
        happened = self._gap(look) if isinstance(look, Gap) else self._status(look)
        at_s = self.status.elapsed_ms / 1000 if self.status else 0.0
        self.events.extend((at_s, text) for text in happened)
        return happened

    def _gap(self, look: Gap) -> list[str]:
        before, self.gap = self.gap, look.reason
        return [] if before else [f"not seen: {look.reason}; a session goes on"]

    def _status(self, status: Status) -> list[str]:
        happened = ["seen again"] if self.gap else []
        happened += changes(self.status, status)
        if cut_short(self.status, status):
            self.cut = self.status
        self.gap, self.status = "", status
        load_mv = status.load_mv if status.flag(protocol.FLAG_OUTPUT_ON) else 0  # means nothing then
        point = (status.elapsed_ms / 1000, status.current_ua, status.setpoint_ua, load_mv)
        if not self.points or self.points[-1][0] != point[0]:
            if self.points and self.points[-1][0] > point[0]:
                self.points.clear()  # another session
            self.points.append(point)
        return happened

    def spark(self, width: int, ascii_only: bool = False) -> str:
        """Return the course of the current as `width` characters, 0 at the bottom, the highest set-point at the top."""
        if not self.points:
            return ""
        marks = _ASCII_SPARKS if ascii_only else _SPARKS
        points = list(self.points)
        top_ua = max(max(point[1], point[2]) for point in points) or 1
        cells = [points[index * len(points) // width][1] for index in range(width)] if len(points) > width else None
        values = cells or [point[1] for point in points]
        return "".join(marks[min(value * (len(marks) - 1) // top_ua, len(marks) - 1)] for value in values)


def cut_short(before: Status | None, now: Status) -> bool:
    """Return True when a session ran, and the device knows of no end of it: it was reset, or lost its power."""
    at_rest = not now.running and now.fault in (faults.NONE, faults.UNPLANNED_RESET)
    return before is not None and before.in_session and at_rest and not now.outcome


def cut_words(seen: Status) -> str:
    """Return what is known of a session that was cut short, seen last as `seen`."""
    charge = f"{ma_min(seen.charge_uc):.3f} of {ma_min(seen.dose_uc):g} mA*min"
    last = f"last seen at {clock(seen.elapsed_ms / 1000)} min:s in {seen.state_name} with {charge}"
    return f"session {seen.session_id} was cut short by a reset or a loss of power; {last}"


def changes(before: Status | None, now: Status) -> list[str]:
    """Return what is different between two looks, in words."""
    happened = [cut_words(before)] if before and cut_short(before, now) else []
    if before is None or before.state != now.state:
        happened.append(now.state_name + (f", {ma(now.setpoint_ua):.2f} mA" if now.setpoint_ua else ""))
    if now.fault and (before is None or before.fault != now.fault):
        happened.append(f"fault {now.fault_name}: {messages.message_for(now.fault).text}")
    if now.second_fault and (before is None or before.second_fault != now.second_fault):
        happened.append(f"then {now.second_fault_name}: {messages.message_for(now.second_fault).text}")
    for mask, (begins, ends) in _FLAGS.items():
        if before is not None and before.flag(mask) != now.flag(mask):
            happened.append(begins if now.flag(mask) else ends)
    if now.comfort_count and (before is None or before.comfort_count != now.comfort_count):
        happened.append(_felt(before, now))
    if now.current_when_off:
        happened.append(now.current_warning)
    return happened


def _felt(before: Status | None, now: Status) -> str:
    felt = f"comfort: {FELT.get(now.comfort, now.comfort)}"
    was_ua = before.target_ua if before else now.target_ua
    return felt + (f", from {ma(was_ua):.2f} to {ma(now.target_ua):.2f} mA" if now.target_ua < was_ua else "")


def event_line(at_s: float, text: str) -> str:
    """Return an event as a line: time of the session, what happened."""
    return f"{clock(at_s):>6}  {text}"
