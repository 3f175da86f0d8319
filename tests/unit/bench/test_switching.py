"""Switches and loads of a real bench: commands that run, relays on a bridge's pins, a person who is told."""

import sys
import threading
import time
from enum import Enum
from types import SimpleNamespace

import pytest
from circuitpython_bus import CircuitPythonI2C, Source, chip

from ionto_host.bench import loads, switching, wiring
from ionto_host.bench.benchfile import LoadSpec, MeterSpec, SwitchSpec
from ionto_host.bench.instruments import Ina219Meter, library
from ionto_host.doctor.findings import good
from ionto_host.errors import BenchError, LackingError

BRIDGE = "mcp2221"


class Direction(Enum):
    INPUT = 0
    OUTPUT = 1


class Line:
    """digitalio.DigitalInOut: remembers what was driven, and that it was an output by then."""

    made = {}

    def __init__(self, pin):
        self.direction, self.driven = Direction.INPUT, []
        Line.made[pin] = self

    @property
    def value(self):
        return self.driven[-1]

    @value.setter
    def value(self, level):
        assert self.direction is Direction.OUTPUT
        self.driven.append(level)


@pytest.fixture
def blinka(monkeypatch):
    """Blinka with two pins and no hardware; the INA219's driver is loaded before it is told of a bridge."""
    library("adafruit_ina219")
    Line.made = {}
    monkeypatch.setitem(sys.modules, "board", SimpleNamespace(G0="pin 0", G1="pin 1"))
    monkeypatch.setitem(sys.modules, "digitalio", SimpleNamespace(DigitalInOut=Line, Direction=Direction))
    monkeypatch.setenv("BLINKA_MCP2221", "1")


def test_a_relay_rests_where_nothing_happens(blinka):
    specs = {"stop": SwitchSpec("relay", pin="G0"), "usb": SwitchSpec("relay", pin="G1", active_low=True)}
    switches = switching.real_switches(specs, BRIDGE, None)
    assert Line.made["pin 0"].driven == [False], "STOP is not pressed"
    assert Line.made["pin 1"].driven == [False], "USB is plugged in: on, which is low here"
    switches["stop"].set(True)
    switches["usb"].set(False)
    assert Line.made["pin 0"].value is True and Line.made["pin 1"].value is True


def test_a_pin_that_the_bridge_has_not(blinka):
    with pytest.raises(BenchError, match="switch stop: the bridge has no pin 'G7'"):
        switching.real_switches({"stop": SwitchSpec("relay", pin="G7")}, BRIDGE, None)


class SlowI2C(CircuitPythonI2C):
    """The bus of a bridge whose every transfer takes a while: nothing else may go on on it."""

    entered = threading.Event()
    busy = False

    def readfrom_into(self, *arguments, **options):
        SlowI2C.busy = True
        SlowI2C.entered.set()
        time.sleep(0.1)
        super().readfrom_into(*arguments, **options)
        SlowI2C.busy = False


class SharedLine(Line):
    """A pin of the same bridge."""

    @Line.value.setter
    def value(self, level):
        if SlowI2C.busy:
            raise OSError("MCP2221 HID session is out of sync")


def test_a_relay_switches_while_a_thread_reads_the_meter_on_the_same_bridge(blinka, monkeypatch):
    monkeypatch.setattr(sys.modules["digitalio"], "DigitalInOut", SharedLine)
    meter = Ina219Meter(SlowI2C(at_41=chip(Source())), MeterSpec("ina219", "ref", 8_000, 5_000, 2))
    relay = switching.real_switch("stop", SwitchSpec("relay", pin="G0"), BRIDGE, None)
    SlowI2C.entered.clear()
    reader = threading.Thread(target=meter.read_ua)
    reader.start()
    assert SlowI2C.entered.wait(10)
    relay.set(True)
    assert not SlowI2C.busy
    reader.join()


@pytest.mark.parametrize("error", [OSError("gone"), ValueError("gone"), RuntimeError("gone")])
def test_a_bridge_that_goes_away_is_no_defect_of_ionto(blinka, error):
    relay = switching.real_switch("stop", SwitchSpec("relay", pin="G0"), BRIDGE, None)

    class Gone:
        def __setattr__(self, name, value):
            raise error

    relay._line = Gone()
    with pytest.raises(BenchError, match="switch stop: the relay on pin G0 of the MCP2221 does not switch: gone"):
        relay.set(True)


def test_relays_connect_the_wanted_load_before_the_others_leave(blinka):
    pins = {500: "G0", 5_000: "G1"}
    made = {ohm: switching.real_switch("load", SwitchSpec("relay", pin=pin), BRIDGE, None) for ohm, pin in pins.items()}
    spec = LoadSpec("relay", 10_000, relays=tuple((ohm, SwitchSpec("relay")) for ohm in made))
    load = loads.Load(spec, loads.by_relays(made))
    load.set_ohm(5_000)
    assert (Line.made["pin 0"].value, Line.made["pin 1"].value, load.ohm) == (False, True, 5_000)
    assert load.nearest(900) == 500 and load.adjustable
    with pytest.raises(LackingError, match="a load of 1000 ohm"):
        load.set_ohm(1_000)


def test_the_wiring_check_connects_every_resistor_and_leaves_the_first(blinka, monkeypatch):
    """A bench begins with all of its load relays open: whoever looks at the current first has to close one."""
    relays = ((1_000.0, SwitchSpec("relay", pin="G0")), (4_700.0, SwitchSpec("relay", pin="G1")))
    made = {ohm: switching.real_switch("load", spec, BRIDGE, None) for ohm, spec in relays}
    load = loads.Load(LoadSpec("relay", 10_000, relays=relays), loads.by_relays(made))
    assert [line.value for line in Line.made.values()] == [False, False]
    seen = []

    def look(rig):
        seen.append((rig.load.ohm, [line.value for line in Line.made.values()]))
        return good("load circuit", "as in the file")

    monkeypatch.setattr(wiring, "_check_identity", lambda rig: [])
    monkeypatch.setattr(wiring, "_check_current", look)
    monkeypatch.setattr(wiring, "_check_range", lambda rig: good("meter range", "enough"))
    assert [item.level for item in wiring.check(SimpleNamespace(load=load))] == ["ok"] * 3
    assert seen == [(4_700.0, [False, True]), (1_000.0, [True, False])]


def test_a_command_that_runs_one_that_fails_and_one_that_is_not_there(tmp_path):
    mark = tmp_path / "mark"
    switch = switching.CommandSwitch("usb", SwitchSpec("command", on=f"touch {mark}", off="false"))
    switch.set(True)
    assert mark.exists()
    with pytest.raises(BenchError, match="switch usb: `false` ended with exit code 1"):
        switch.set(False)
    with pytest.raises(BenchError, match="did not run"):
        switching.CommandSwitch("usb", SwitchSpec("command", on="no-such-command-here", off="true")).set(True)


def test_a_person_is_told_what_to_do_and_without_one_nothing_can_be_switched():
    told = []
    specs = {"lift": SwitchSpec("person"), "usb": SwitchSpec("person")}
    switches = switching.real_switches(specs, BRIDGE, told.append)
    switches["lift"].set(True)
    switches["usb"].set(False)
    loads.Load(LoadSpec("decade", 10_000, low_ohm=500, high_ohm=5_000), loads.by_person(told.append)).set_ohm(2_000)
    assert told == [
        "Open the load's circuit: pull one electrode lead",
        "Pull the USB cable out",
        "Set the decade box to 2000 ohm",
    ]
    assert switching.real_switches(specs, BRIDGE, None) == {}
