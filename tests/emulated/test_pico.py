"""What a Pico of either kind is to its user without the firmware: a port, a cable, a flash that keeps, a clock."""

import subprocess
import sys
import time

import pytest
from workbench import Bench

from ionto_host.patience import patient
from ionto_sim.client import wait_until
from ionto_sim.errors import SimCommandError, SimStartError

ENDLESS_WRITE = """\
import os
part = b"y" * 1000
while True:
    with open("/x", "wb") as file:
        for _ in range(9):
            file.write(part)
"""


@pytest.fixture
def blank(pico_with, tmp_path):
    """A Pico as from the shop, with its user's tools."""
    return Bench(pico_with(), tmp_path)


def test_mpremote_copies_there_and_back(blank, tmp_path):
    there, back = tmp_path / "there", tmp_path / "back"
    there.write_bytes(bytes(range(256)) * 40)
    blank.mpremote("fs", "cp", str(there), ":data.bin")
    blank.mpremote("fs", "cp", ":data.bin", str(back))
    assert back.read_bytes() == there.read_bytes()


def test_a_reset_keeps_the_flash_and_says_why(blank):
    blank.mpremote("exec", "open('/kept', 'w').write('x')", "reset")
    blank.pico.wait(boots=2, timeout_s=20)
    told = blank.mpremote("exec", "import machine, os; print(machine.reset_cause(), 'kept' in os.listdir())")
    assert told.split() == ["3", "True"]


def test_a_power_cut_in_the_middle_of_a_write_leaves_a_file_system(blank):
    blank.mpremote("exec", "open('/kept', 'w').write('x')")
    blank.pico.power_cut(flash_operation=20)
    command = [sys.executable, "-m", "mpremote", "connect", blank.pico.port, "exec", ENDLESS_WRITE]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as tool:
        wait_until(lambda: not blank.pico.status()["powered"], patient(20))
        tool.kill()
    blank.pico.power_on()
    assert blank.mpremote("exec", "import os; print(open('/kept').read(), os.statvfs('/')[0])").split() == ["x", "4096"]


def test_the_port_vanishes_with_the_cable(blank):
    blank.pico.unplug()
    assert not blank.pico.paths.port.exists()
    assert blank.pico.status()["pins"]["VBUS_SENSE"] == 0
    blank.pico.plug()
    assert blank.mpremote("exec", "print(1)").split() == ["1"]


def test_at_real_speed_virtual_time_is_not_ahead(pico_with):
    pico = pico_with(speed=1)
    wall_s, start_us = time.monotonic(), pico.status()["t_us"]
    time.sleep(1)
    passed_s = (pico.status()["t_us"] - start_us) / 1e6
    assert passed_s <= time.monotonic() - wall_s + 0.2


def test_what_is_unknown_is_refused(blank):
    for request in ({"cmd": "fault", "name": "none_such"}, {"cmd": "strap", "name": "x", "value": 1}, {"cmd": "x"}):
        with pytest.raises(SimCommandError):
            blank.pico.request(**request)
    with pytest.raises(SimCommandError, match="unknown condition"):
        blank.pico.wait(current_above_a=1)


def test_a_copy_goes_its_own_way(blank, image, tmp_path):
    blank.mpremote("exec", "open('/both', 'w').close()")
    at_us = blank.pico.freeze()
    copy = Bench(blank.pico.fork(tmp_path / "copy"), tmp_path)
    copy.mpremote("exec", "open('/one', 'w').close()")
    assert copy.pico.status()["t_us"] > at_us == blank.pico.status()["t_us"]
    copy.pico.unplug()
    copy.pico.stop()
    blank.pico.freeze(False)
    there = blank.mpremote("exec", "import os; print('both' in os.listdir(), 'one' in os.listdir())")
    assert there.split() == ["True", "False"]


def test_what_is_no_image_is_refused(pico_with, image, tmp_path):
    text = tmp_path / "image.uf2"
    text.write_text("no image")
    for name, message in ((tmp_path / "gone.uf2", "is not a file"), (text, "is not a UF2 image")):
        with pytest.raises(SimStartError, match=message):
            pico_with(image=str(name))


EDGES = """\
import machine
from machine import Pin, mem8
stop, vbus = Pin(10, Pin.IN, Pin.PULL_UP), Pin(24, Pin.IN)
for byte in (0x400140F5, 0x400140FC):
    mem8[byte] = 8
print(mem8[0x400140F5] & 8, mem8[0x400140FC] & 8)
"""
READ = "from machine import mem8; print(mem8[0x400140F5] & 8, mem8[0x400140FC] & 8)"


@pytest.mark.hazard("HAZ-17", "HAZ-19")
def test_the_chip_keeps_an_edge_until_it_is_written_back(blank):
    """What the firmware tells a STOP of less than a cycle by: no interrupt and no program has to run at that moment."""
    assert blank.mpremote("exec", EDGES).split() == ["0", "0"]
    blank.pico.press_stop(ms=1)
    assert blank.mpremote("resume", "exec", READ).split() == ["8", "0"]
    assert blank.mpremote("resume", "exec", EDGES).split() == ["0", "0"]
