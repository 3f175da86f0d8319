"""Runs rows: each session once, and at each of its moments a copy of the running device for every fault.

The copy puts the changed circuit in the place of the sound one, with the voltages that its capacitors have, and lets
the same firmware go on. Of a copy in HOLD at 4 mA more copies are made whose firmware stops. The first copy at each
moment stays sound: what a fault does to no node, compared with that one, does not matter at the other moments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ionto import protocol
from verification.fmea import children
from verification.fmea.bench import Bench, Volts
from verification.fmea.faults import Row
from verification.fmea.judge import DEAD_MAN_MS, SETTLE_MS
from verification.fmea.moments import (
    CABLE,
    FROZEN,
    HOLD_4,
    SELF_TEST,
    SESSIONS,
    SINK_STUCK,
    START,
    STILL,
    STOP_UNSEEN,
    USB_UNSEEN,
    WITHIN,
    Moment,
    Session,
)
from verification.fmea.trace import OFF_UA, PROBE_UA, Point, Trace

Todo = Mapping[str, Sequence[Row]]  # rows by moment
Measured = dict[str, Any]
Looks = dict[str, dict[int, Volts]]  # by moment: the nodes of the sound device, by ms
SOUND = "sound"  # the row without a fault
_DARK_MS = 5  # this long below 10 uA is the end of a row
_BEFORE_MS = 60  # a fault that was there before START, in which its capacitors come to rest
_STILL_MS = 40  # apart are two looks at what should stand still, a multiple of the heartbeat's period
_CUT_MS = 200  # a cut that is not dark by then is not going to be
_FROZEN_MS = 160
_FROZEN_LONG_MS = 1_000  # of one that is still on then, for its figures
_REACH_MS = 20_000
_ENDED = (protocol.IDLE, protocol.DONE, protocol.FAULT)
_LOOK_MS = {
    START.name: tuple(range(160, 1_101, 60)),
    **dict.fromkeys(FROZEN, (40,)),
    USB_UNSEEN: (5,),
    STOP_UNSEEN: (5,),
    SINK_STUCK: (2,),
}
_SAME_SHARE, _SAME_V = 0.005, 0.003


def run(todo: Todo, jobs: int) -> Iterator[Measured]:
    """Yield the measured rows of `todo`, as they are done; an error of a session fails what it still had to do."""
    for session in SESSIONS:
        wanted = {moment.name: list(todo.get(moment.name, ())) for moment in session.moments}
        if HOLD_4.name in wanted:
            wanted[HOLD_4.name] = _with_frozen(todo)
        if any(wanted.values()):
            yield from _session(session, wanted, jobs)


def _with_frozen(todo: Todo) -> list[Row]:
    """Return the rows for which HOLD at 4 mA has to be run: its own, and those of frozen firmware."""
    rows = {row.key: row for name in (HOLD_4.name, *WITHIN) for row in todo.get(name, ())}
    return list(rows.values())


def _session(session: Session, wanted: Mapping[str, list[Row]], jobs: int) -> Iterator[Measured]:
    """Yield what a copy of this process, in which the session runs, measures."""

    def play(_: int, emit: children.Emit) -> None:
        for measured in _play(session, wanted, jobs):
            emit(measured)

    done: set[tuple[str, str]] = set()
    for answer in children.each([0], play, 1, hangs_s=None):
        if answer.error:
            for moment, rows in wanted.items():
                left = [row for row in rows if (row.key, moment) not in done]
                yield from (_failed(row, moment, f"session of {session.name}: {answer.error}") for row in left)
            return
        done.add((answer.content["row"], answer.content["moment"]))
        yield answer.content


def _play(session: Session, wanted: Mapping[str, list[Row]], jobs: int) -> Iterator[Measured]:
    bench = Bench(session.dose)
    for moment in session.moments:
        _reach(bench, moment)
        if wanted[moment.name]:
            sound = _look_at_sound(bench, moment)
            for answer in children.each(wanted[moment.name], _worker(bench, moment, sound), jobs):
                yield _failed(answer.item, moment.name, answer.error) if answer.error else answer.content
        if moment is CABLE:
            bench.plug_in(False)
            bench.rest()
        if moment is START:
            bench.let_go()


def _reach(bench: Bench, moment: Moment) -> None:
    """Run on until the session stands at `moment`."""
    if moment is CABLE:
        bench.plug_in()
        bench.rest()
        return
    if bench.state == protocol.IDLE:
        bench.hold_start()
        if moment is START:
            return
        bench.let_go()
    if moment.state == protocol.PAUSED:
        bench.pause()
    for _ in range(_REACH_MS):
        if bench.state == moment.state:
            break
        bench.tick()
    else:
        raise TimeoutError(f"{moment.name} was not reached: the session is in {protocol.STATES[bench.state]}")
    for _ in range(moment.after_ms):
        bench.tick()


def _look_at_sound(bench: Bench, moment: Moment) -> Looks:
    """Return what the nodes of the sound device are at this moment, and when its firmware stops there."""
    looks: Looks = {}

    def watch(_: int, emit: children.Emit) -> None:
        _Watch(bench, moment, None, {}, lambda found: emit({"looks": found["looks"], "moment": found["moment"]})).run()

    for answer in children.each([0], watch, 1):
        if answer.error:
            raise RuntimeError(f"the sound device at {moment.name}: {answer.error}")
        looks[answer.content["moment"]] = {int(ms): volts for ms, volts in answer.content["looks"].items()}
    return looks


def _worker(bench: Bench, moment: Moment, sound: Looks) -> Callable[[Row, children.Emit], None]:
    return lambda row, emit: _Watch(bench, moment, row, sound, emit).run()


@dataclass
class _Watch:
    """One copy at work: what `row` (None: no fault) does from `moment` on; emits its measured rows."""

    bench: Bench
    moment: Moment
    row: Row | None
    sound: Looks
    emit: children.Emit
    trace: Trace = field(default_factory=Trace)
    looks: dict[int, Volts] = field(default_factory=dict)
    tripped_ms: int = 0

    def run(self) -> None:
        """Break the device, watch it until it is decided what follows, and of HOLD at 4 mA stop its firmware too."""
        bench, moment = self.bench, self.moment
        bench.change(None if self.row is None else self.row.change)
        frozen = moment is not HOLD_4
        while not self._decided():
            if moment is START and len(self.trace.points) == _BEFORE_MS:
                bench.let_go()
            self._add(bench.tick(), moment.name)
            if not frozen and len(self.trace.points) == moment.least_ms and not bench.fault_name:
                frozen = True
                self._freeze()
        self.emit(self._measured(moment.name))
        if not frozen:
            for name in WITHIN:  # it has tripped before it could come to that
                self.emit(self._measured(name))

    def _add(self, point: Any, name: str) -> None:
        self.trace.add(point)
        ms = len(self.trace.points)
        if ms in _LOOK_MS.get(name, (self.moment.least_ms,)):
            self.looks[ms] = self.bench.volts()
        self.tripped_ms += bool(self.bench.fault_name)

    def _decided(self) -> bool:
        """Return True when what follows has been seen: nothing, a cut that is dark, or a cut that is not."""
        bench, moment, trace = self.bench, self.moment, self.trace
        ms = len(trace.points)
        if bench.fault_name:
            return (self.tripped_ms > _DARK_MS and trace.is_dark(_DARK_MS)) or self.tripped_ms > _CUT_MS
        if moment in (START, SELF_TEST):
            begun = moment is SELF_TEST or ms > 2 * _BEFORE_MS
            return ms >= moment.watch_ms or (begun and bench.state != protocol.SELF_TESTING)
        if ms >= moment.watch_ms:
            return True
        return self.row is not None and self._nothing_follows(ms)

    def _nothing_follows(self, ms: int) -> bool:
        """Return True when the fault does nothing, or has done what it does and all stands still."""
        bench, moment, points = self.bench, self.moment, self.trace.points
        if ms == moment.least_ms and (self._same(moment.name) or bench.unchanged(points)):
            return True
        return moment in STILL and ms >= moment.least_ms and ms % _STILL_MS == 0 and bench.steady(points)

    def _freeze(self) -> None:
        for answer in children.each(WITHIN, self._within, 1):
            if answer.error and self.row is not None:
                self.emit(_failed(self.row, answer.item, answer.error))
            else:
                self.emit(answer.content)

    def _within(self, name: str, emit: children.Emit) -> None:
        self.trace, self.looks = Trace(second=True), {}
        if name == SINK_STUCK:
            self.bench.stick_sink()
            while not self._decided_second():
                self._add(self.bench.tick(), name)
            emit(self._measured(name))
        elif name in (USB_UNSEEN, STOP_UNSEEN):
            (self.bench.plug_in_unseen if name == USB_UNSEEN else self.bench.stop_unseen)()
            self._until_dark(name, lambda: replace(self.bench.tick(), live=False))
            emit(self._measured(name))
        else:
            self.bench.freeze(name)
            self._until_dark(name, self.bench.tick_frozen)
            emit(self._measured(name))

    def _decided_second(self) -> bool:
        ms = len(self.trace.points)
        dark = self.tripped_ms > _DARK_MS and self.trace.is_dark(_DARK_MS)
        return dark or self.tripped_ms > _CUT_MS or ms >= HOLD_4.watch_ms

    def _until_dark(self, name: str, tick: Callable[[], Point]) -> None:
        while True:
            ms, trace = len(self.trace.points), self.trace
            if trace.is_dark(10) or ms >= (_FROZEN_MS if trace.is_dark(1) else _FROZEN_LONG_MS):
                break
            self._add(tick(), name)

    def _same(self, name: str) -> bool:
        """Return True when no node differs from the sound device's, wherever it was looked at."""
        sound = self.sound.get(name, {})
        return bool(sound) and all(ms in self.looks and _near(self.looks[ms], volts) for ms, volts in sound.items())

    def _measured(self, name: str) -> Measured:
        bench = self.bench
        testing = self.moment in (START, SELF_TEST)
        figures = self.trace.figures(SETTLE_MS, DEAD_MAN_MS, PROBE_UA if testing else OFF_UA)
        return {
            "row": SOUND if self.row is None else self.row.key,
            "moment": name,
            "figures": asdict(figures),
            "fault": bench.fault_name,
            "refused": bool(bench.fault_name) and bench.refused,
            "cut": figures.cut_ms is not None,
            "end": "frozen" if name in FROZEN else "unnoticed" if bench.state not in _ENDED else "ended",
            "state": protocol.STATES[bench.state],
            "same": self._same(name),
            "error": "",
            **({"looks": self.looks} if self.row is None else {}),
        }


def _near(volts: Volts, sound: Volts) -> bool:
    return all(
        abs(volts[name] - volt) <= _SAME_V + _SAME_SHARE * abs(volt) for name, volt in sound.items() if name in volts
    )


def _failed(row: Row, moment: str, error: str) -> Measured:
    return {
        "row": row.key,
        "moment": moment,
        "error": error,
        "fault": "",
        "refused": False,
        "cut": False,
        "end": "failed",
    }
