"""How a bench is left: safe, with everything switched back, and with an error where nobody can say so."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ionto_host.bench import benchfile, fixtures, instruments, loads, measuring, rig, switching
from ionto_host.board import calibrating
from ionto_host.board.meters import Meter, Sample, TypedMeter
from ionto_host.errors import BenchError, CalibrationError, NoDeviceError, SafetyError

EXAMPLES = Path(__file__).parents[3] / "examples"


class FakeMeter(Meter):
    """Reads what it is told, and fails where that is an error."""

    name = "ammeter"

    def __init__(self, shows=0.0):
        self.shows, self.asked = shows, 0

    def read_ua(self):
        self.asked += 1
        if isinstance(self.shows, Exception):
            raise self.shows
        return self.shows


class FakeBoard:
    """At rest with or without a current; without a port where `gone`."""

    def __init__(self, current=False, output_on=False, gone=False):
        self.current, self.output_on, self.gone = current, output_on, gone

    def abort(self):
        if self.gone:
            raise NoDeviceError("the port is gone")

    def settled_status(self):
        self.abort()
        return SimpleNamespace(current_when_off=self.current, state_name="HOLD", flag=lambda mask: self.output_on)

    def close(self):
        pass


class FakeSwitch:
    def __init__(self, error=None):
        self.set_to, self.error = [], error

    def set(self, on):
        self.set_to.append(on)
        if self.error:
            raise self.error


@pytest.fixture
def bench(monkeypatch):
    """A real bench without its hardware."""
    monkeypatch.setattr(rig, "OFF_WITHIN_S", 0)
    monkeypatch.setattr(rig, "PORT_BACK_S", 0)

    def build(meter=None, board=None, **kinds):
        made = rig.Rig(benchfile.read(EXAMPLES / "bench.toml"), lambda text: None)
        specs = {name: benchfile.SwitchSpec(kind) for name, kind in kinds.items()}
        made.bench = replace(made.bench, switches=specs)
        made.switches = {name: FakeSwitch() for name in kinds}
        made.meter, made._device = meter or FakeMeter(), board or FakeBoard()
        return made

    return build


@pytest.mark.hazard("HAZ-34")
@pytest.mark.parametrize(
    ("meter", "board", "text"),
    [
        (FakeMeter(2_747), FakeBoard(), "ammeter sees 2.747 mA with the output off"),
        (FakeMeter(ValueError("hid")), FakeBoard(current=True), "the board measures current with the output off"),
        (FakeMeter(), FakeBoard(output_on=True), "the board is in HOLD with the output on"),
        (TypedMeter("typed", lambda text: 0.0), FakeBoard(gone=True), "nobody could confirm .* the port is gone"),
        (FakeMeter(BenchError("no meter")), FakeBoard(gone=True), "nobody could confirm .* no meter; the port is gone"),
    ],
)
def test_meter_and_board_are_both_asked_and_closing_says_what_they_see(bench, meter, board, text):
    made = bench(meter, board)
    closed = []
    made._stack.callback(closed.append, True)
    with pytest.raises(SafetyError, match=text), made:
        pass
    assert closed == [True]


@pytest.mark.hazard("HAZ-34")
def test_one_that_answers_is_enough_and_a_meter_that_fails_is_said(bench):
    bench(board=FakeBoard(gone=True)).check_off()
    bench(TypedMeter("typed", lambda text: 0.0)).check_off()
    with pytest.raises(BenchError, match="no meter"):
        bench(FakeMeter(BenchError("no meter"))).check_off()


@pytest.mark.hazard("HAZ-34")
@pytest.mark.parametrize(
    ("broken", "board"), [(BenchError("uhubctl"), FakeBoard()), (None, FakeBoard(gone=True))], ids=["switch", "port"]
)
def test_a_switch_or_port_that_fails_does_not_keep_the_meter_from_being_read(
    bench, tmp_path, broken, board, monkeypatch
):
    made = bench(board=board, usb="command", lift="command")
    made.first = False
    around = fixtures.around_test(made, tmp_path, None)
    monkeypatch.setattr(fixtures, "bring_to_rest", lambda bench: None)
    monkeypatch.setattr(made, "wait_for_board", lambda: board.abort())
    next(around)
    made.meter.shows, made.switches["usb"].error = 2_000, broken
    with pytest.raises(SafetyError, match="ammeter sees 2"):
        next(around)
    assert made.switches["lift"].set_to == [False], "the other switches are put back"


def test_what_a_person_switched_is_switched_back_once(bench):
    made = bench(stop="person", lift="person", usb="relay")
    made.switch("stop", True)
    made.rest_switches()
    made.rest_switches()
    assert made.switches["stop"].set_to == [True, False]
    assert made.switches["lift"].set_to == []
    assert made.switches["usb"].set_to == [True, True]


@pytest.mark.hazard("HAZ-34")
def test_ctrl_c_waits_until_the_board_is_safe(bench):
    class Interrupting(FakeMeter):
        def read_ua(self):
            os.kill(os.getpid(), signal.SIGINT)
            return super().read_ua()

    made = bench(Interrupting())
    with pytest.raises(KeyboardInterrupt):
        made.close()
    assert made.meter.asked == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_calibration_that_fails_gives_the_load_back(bench, monkeypatch):
    def fail(*_):
        raise CalibrationError("implausible")

    made, connected = bench(), []
    spec = benchfile.LoadSpec("decade", 10_000, low_ohm=500, high_ohm=5_000)
    made.load = loads.Load(spec, connected.append)
    monkeypatch.setattr(calibrating, "calibrate", fail)
    with pytest.raises(CalibrationError):
        fixtures.calibrate(made, fixtures.Measured([]))
    assert connected == [2_000, 500]


def test_the_load_relays_are_open_afterwards(monkeypatch):
    relays = []

    def relay(*_):
        relays.append(FakeSwitch())
        return relays[-1]

    monkeypatch.setattr(instruments, "open_real", lambda *_: FakeMeter())
    monkeypatch.setattr(switching, "real_switches", lambda *_: {})
    monkeypatch.setattr(switching, "real_switch", relay)
    made = rig.build(benchfile.read(EXAMPLES / "bench.toml"), lambda text: None, port="/dev/no-such-port")
    made.load.set_ohm(4_700)
    made.close()
    assert [relay.set_to for relay in relays] == [[False, False], [True, False]]


@pytest.mark.parametrize("error", [BenchError("no meter"), ValueError("hid")])
def test_a_course_without_its_meter_is_no_course(bench, error):
    class Dying(FakeMeter):
        def sample(self):
            if self.asked:
                raise error
            return Sample(0.0, self.read_ua())

    made = bench(Dying())
    with pytest.raises(type(error), match=str(error)), measuring.Course(made) as course:
        course._thread.join(5)
    assert len(course.samples) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no simulator there")
def test_a_simulator_that_has_ended_is_a_meter_that_fails():
    from ionto_sim.errors import SimGoneError

    def gone():
        raise SimGoneError("the simulator has ended")

    spec = benchfile.MeterSpec("sim", "sim", 8_000, 1_000, 1)
    with pytest.raises(NoDeviceError, match="the simulator has ended"):
        instruments.SimMeter(SimpleNamespace(meter=gone), spec, benchfile.SimSpec()).read_ua()
