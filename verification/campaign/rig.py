"""One virtual Pico for one row: flashed, given a dose, brought into a state, broken there, looked at."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ionto import protocol
from ionto_host.board import flashing
from ionto_host.device.answers import Status
from ionto_host.device.client import Device
from ionto_host.dose import file as dosefile
from ionto_host.errors import IontoError, NotALogError, PortVanishedError
from ionto_host.logs import sessionfile
from ionto_host.patience import patient
from ionto_sim.client import MarkReading, VirtualPico, wait_until
from ionto_sim.config import Paths
from ionto_sim.errors import SimCommandError, SimTimeoutError

FAULT_MARK = "fault"
BEGIN_MARK = "begin"  # the boost converter comes on: the self-test begins, and the log's clock
CURRENT_UA = 2_000
DOSE_UC = 9_000
LOAD_OHM = 2_000
_DOSE = """\
schema = 1
name = "campaign"
drug = "none"
site = "bench"
current_ma = 2
dose_ma_min = 0.15
electrode_area_cm2 = 10
polarity = "{polarity}"
ramp_up_s = 1
ramp_down_s = 1
starts = 20
reversal = "{reversal}"
"""
PRESS_MS = 2_100
_HOLD_US = 300_000
_LOOK_AHEAD_US = 900_000_000
_REST_US = 200_000  # longer than the dead-man holds at its worst tolerance
_WAIT_S = 30.0
_POLL_S = 0.005


@dataclass(frozen=True)
class Trigger:
    """When a state that does not wait for anybody is reached, as the circuit shows it, and the dose that takes it."""

    when: dict[str, Any]
    polarity: str = "+"
    reversal: str = "none"


_RELAY_MOVED = {"pin": ["POLARITY_RELAY", 1], "for_us": 330_000}  # of 400; the self-test moves it for 260

TRIGGERS = {
    "SELF_TEST": Trigger({"current_above_ua": 20, "for_us": 20_000}),
    "ARMED": Trigger(_RELAY_MOVED, polarity="-"),
    "RAMP_UP": Trigger({"current_above_ua": 0.5 * CURRENT_UA}),
    "HOLD": Trigger({"current_above_ua": 0.98 * CURRENT_UA, "for_us": _HOLD_US}),
    "RAMP_DOWN": Trigger({"charge_above_uc": 0.5 * DOSE_UC, "current_below_ua": 0.6 * CURRENT_UA}),
    "REVERSING": Trigger(_RELAY_MOVED, reversal="half"),
}
_WAITS = Trigger({})


def flash_image(folder: Path) -> Path:
    """Install the firmware on a blank virtual Pico as `ionto flash` does; return the flash image, in `folder`."""
    with VirtualPico(state_dir=folder / "blank", bench_strap=True) as pico:
        flashing.flash(pico.port, flashing.Watch())
    return Paths(folder / "blank").image


def _decoded(data: bytes) -> sessionfile.Session:
    try:
        return sessionfile.decode(data)
    except NotALogError as error:
        return sessionfile.Session(len(data), damage=[sessionfile.Damage(0, len(data), error.message)])


class Rig:
    """A virtual Pico from the flash `image`, and the device on it. A context manager.

    `values` are the board's components that differ, `settings` those of `ionto_sim.config.SimConfig`.
    """

    def __init__(self, image: Path, values: Mapping[str, float] | None = None, **settings: Any) -> None:
        self.image = image
        self._folder = Path(tempfile.mkdtemp(prefix="ionto-campaign-"))
        shutil.copyfile(image, self._folder / "flash.img")
        options = {"load": LOAD_OHM, "speed": "max", "bench_strap": True, "values": dict(values or {}), **settings}
        try:
            self.pico = VirtualPico(state_dir=self._folder, **options)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._device: Device | None = None

    def __enter__(self) -> Rig:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()
        self.pico.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    # The device.

    @property
    def device(self) -> Device:
        """The device, opened when it is first asked for."""
        if self._device is None:
            self._device = Device.open(self.pico.port)
        return self._device

    def let_go(self) -> None:
        """Close the port."""
        if self._device is not None:
            self._device.close()
            self._device = None

    def push(self, polarity: str = "+", reversal: str = "none") -> None:
        """Give the device the campaign's dose."""
        text = _DOSE.format(polarity=polarity, reversal=reversal)
        self.device.push_dose(dosefile.loads(text, Path("campaign.toml")).raw)

    def status(self) -> Status:
        """Return the status; NoAnswerError after a second of none."""
        return Status.decode(self.device.link.request(protocol.STATUS, timeout_s=0.5, tries=2))

    def wait_state(self, *states: str, timeout_s: float = _WAIT_S) -> Status:
        """Return the status once its state is one of `states` and its log is closed; TimeoutError otherwise."""
        end = time.monotonic() + patient(timeout_s)
        while True:
            status = self.status()
            closed = not status.flag(protocol.FLAG_LOG_OPEN) or status.state_name not in ("DONE", "FAULT")
            if status.state_name in states and closed:
                return status
            if time.monotonic() > end:
                raise TimeoutError(f"state {status.state_name} ({status.fault_name}), wanted {' or '.join(states)}")
            time.sleep(_POLL_S)

    def request(self, name: str) -> str:
        """Make the request `name` of the protocol; return "", or the name of the refusal or the error."""
        try:
            self.device.link.request(getattr(protocol, name), timeout_s=2.0, tries=1)
        except IontoError as error:
            return str(error.details.get("name", type(error).__name__))
        return ""

    def logs(self) -> list[sessionfile.Session]:
        """Return every log on the device, decoded; a file that is none as a log with that damage."""
        return [_decoded(self.device.read_log(entry)) for entry in self.device.list_logs()]

    # Virtual time.

    def run_free(self) -> None:
        """Let virtual time run as fast as it can even while nothing flows: something is scheduled, far away."""
        self.pico.at({"cmd": "ping"}, after_us=_LOOK_AHEAD_US)

    def pass_us(self, us: int, since_us: int | None = None) -> None:
        """Let `us` of virtual time pass, from now or from `since_us`."""
        start_us = self.pico.status()["t_us"] if since_us is None else since_us
        self.pico.wait(t_us=start_us + us, timeout_s=_WAIT_S)

    def since(self, mark: str) -> MarkReading | None:
        """Return what the meter saw since `mark`; None when it has not been set."""
        try:
            return self.pico.since(mark)
        except SimCommandError as error:
            if "KeyError" in str(error) or mark in str(error):
                return None
            raise

    # States.

    def schedule(self, commands: Sequence[Mapping[str, Any]], **when: Any) -> None:
        """Do `commands` at one moment, at once or when the condition `when` first holds, and mark that moment."""
        together = {"cmd": "all", "do": [{"cmd": "mark", "name": FAULT_MARK}, *commands]}
        self.pico.at(together, **(when or {"after_us": 1_000}))

    def bring_to(self, state: str, commands: Sequence[Mapping[str, Any]], press_at_us: int | None = None) -> None:
        """Bring the device into `state` and do `commands` there; return when they are done.

        A session is started by the host, or by START pressed at the virtual time `press_at_us`.
        """
        trigger = TRIGGERS.get(state, _WAITS)
        self.push(trigger.polarity, trigger.reversal)
        self.run_free()
        self.pico.at({"cmd": "mark", "name": BEGIN_MARK}, pin=["BOOST_ENABLE", 1])
        if trigger.when:
            self.schedule(commands, **trigger.when)
        if press_at_us is not None:
            self.pico.at({"cmd": "press", "button": "start", "ms": PRESS_MS}, t_us=press_at_us)
        elif state != "IDLE":
            self._start()
        if not trigger.when:
            getattr(self, f"_reach_{state.lower()}")()
            self.pass_us(_REST_US)
            self.schedule(commands)
        try:
            wait_until(lambda: self.since(FAULT_MARK) is not None, patient(_WAIT_S))
        except SimTimeoutError as error:
            raise TimeoutError(f"{state} was not reached; the device: {self.status()}") from error

    def _start(self) -> None:
        """Start a session by the host. A cable pulled in the self-test may be gone before the answer is read."""
        try:
            self.device.start()
        except PortVanishedError:
            self.let_go()

    def _hold(self) -> None:
        self.pico.wait(**TRIGGERS["HOLD"].when, timeout_s=_WAIT_S)

    def _reach_idle(self) -> None:
        self.wait_state("IDLE")

    def _reach_paused(self) -> None:
        self._hold()
        self.device.pause()
        self.wait_state("PAUSED")

    def _reach_done(self) -> None:
        self.wait_state("DONE")

    def _reach_fault(self) -> None:
        """Latch a first fault, of which only the latch is left."""
        self._hold()
        self.pico.fault("electrode_lift")
        self.wait_state("FAULT")
        self.pico.fault("electrode_lift", on=False)
