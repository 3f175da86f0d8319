"""Sessions on a bench, and what the meter saw of them: means, courses, charge."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from ionto import protocol
from ionto_host.bench.rig import Rig
from ionto_host.board.calibrating import dose_of
from ionto_host.board.meters import Sample
from ionto_host.device.answers import Status
from ionto_host.device.hand import with_hand
from ionto_host.errors import IontoError, NoDeviceError, TransportError
from ionto_host.logs import sessionfile
from ionto_host.logs import store as logstore

READINGS = 25
_PERIOD_S = 0.01
SETTLE_S = 0.3


@dataclass(frozen=True)
class Steady:
    """Means of some time at constant current, uA and ohm, and how much the meter's readings scattered (1 sigma)."""

    meter_ua: float
    board_ua: float
    load_ohm: float
    scatter_ua: float


def at_rest(status: Status) -> bool:
    """Return True when no session is under way and the last one's log is written."""
    return not status.running and not status.flag(protocol.FLAG_LOG_OPEN)


def start(rig: Rig, current_ua: int, **changes: Any) -> None:
    """Push a dose of `current_ua` (see `dose_of` for what may be changed) and start it."""
    rig.device.push_dose(dose_of(current_ua, rig.device.identity, **changes))
    with_hand(rig.device.start, rig.tell)


def hold(rig: Rig, within_s: float = 30.0) -> Status:
    """Return the status once the full current flows."""
    return rig.until(lambda status: status.state == protocol.HOLD, "full current", within_s)


@contextmanager
def session(rig: Rig, current_ua: int, **changes: Any) -> Iterator[Rig]:
    """Let `current_ua` flow around the caller's work, from the start of HOLD on; the output is off afterwards."""
    try:
        start(rig, current_ua, **changes)
        hold(rig)
        rig.clock.pause(SETTLE_S)
        yield rig
    finally:
        end(rig)


def end(rig: Rig) -> None:
    """End the session, if one runs, and wait until its log is written."""
    with suppress(IontoError):
        rig.device.abort()
    with suppress(TransportError, NoDeviceError):
        rig.device.log_written()


def steady(rig: Rig, readings: int = READINGS) -> Steady:
    """Return the means of meter and board now, read in turn; with a person's meter the board is read around one."""
    meter: list[float] = []
    board: list[Status] = []
    for index in range(readings):
        board.append(rig.device.status())
        if rig.meter.automatic or index == readings // 2:
            meter.append(rig.meter.read_ua() - rig.meter_zero_ua)
        if rig.pico is None:
            rig.clock.pause(_PERIOD_S)
    return Steady(
        fmean(meter),
        fmean(status.current_ua for status in board),
        fmean(status.load_ohm for status in board),
        stdev(meter) if len(meter) > 1 else 0.0,
    )


class Course:
    """Reads the meter over and over in a thread of its own, zero taken off: `samples` on the bench's clock."""

    def __init__(self, rig: Rig) -> None:
        self.samples: list[Sample] = []
        self._rig = rig
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Course:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    def _run(self) -> None:
        zero_ua = self._rig.meter_zero_ua
        try:
            while not self._stop.is_set():
                sample = self._rig.meter.sample()
                self.samples.append(Sample(sample.t_s, sample.current_ua - zero_ua))
                self._stop.wait(0.002)
        except BaseException as error:  # a course that ends early must not pass for a whole one
            self._error = error

    def between(self, begin_s: float, end_s: float) -> list[Sample]:
        """Return the samples from `begin_s` to `end_s` on the bench's clock."""
        return [sample for sample in self.samples if begin_s <= sample.t_s <= end_s]


def charge_uc(samples: Sequence[Sample]) -> float:
    """Return the charge in uC under `samples`, by trapezoids."""
    return sum((b.t_s - a.t_s) * (a.current_ua + b.current_ua) / 2 for a, b in pairwise(samples))


def crossing_s(samples: Sequence[Sample], level_ua: float, rising: bool = True) -> float | None:
    """Return when the current first passes `level_ua`, s, between two samples by a straight line; None if never."""
    for a, b in pairwise(samples):
        inside = a.current_ua < level_ua <= b.current_ua if rising else a.current_ua > level_ua >= b.current_ua
        if inside:
            return a.t_s + (level_ua - a.current_ua) / (b.current_ua - a.current_ua) * (b.t_s - a.t_s)
    return None


def pull_logs(rig: Rig, folder: Path, known: set[int]) -> list[tuple[logstore.Pulled, sessionfile.Session]]:
    """Fetch and verify the logs on the board that are not `known`, which they become; oldest first."""
    device = rig.device
    device.log_written()
    found = []
    for entry in device.list_logs():
        if entry.id in known:
            continue
        pulled = logstore.pull(device, entry, logstore.board_folder(device.identity.board_id, folder), _ignore)
        known.add(entry.id)
        found.append((pulled, sessionfile.read(pulled.path)))
    return found


def _ignore(*_: object) -> None:
    return


def wait_off(rig: Rig, within_s: float = 30.0) -> None:
    """Wait until the board is at rest with its log written; whatever fault it is in stays."""
    rig.until(at_rest, "the end", within_s, fault_expected=True)
