"""The virtual Pico on the drawn circuit: the firmware unmodified, `ionto sim`'s commands act on SPICE."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ionto_host.device.client import Device
from ionto_sim import image
from ionto_sim.client import VirtualPico, wait_until
from ionto_sim.config import Paths

DOSE = """\
schema = 1
name = "spice"
drug = "none"
site = "bench"
current_ma = 2
dose_ma_min = 0.1
electrode_area_cm2 = 10
polarity = "-"
ramp_up_s = 1
ramp_down_s = 1
starts = 2
"""


def ionto(port: str, *arguments: str | Path) -> None:
    """Run `ionto` on a port; it must succeed."""
    command = [sys.executable, "-m", "ionto_host", "--port", port, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a board on which `ionto flash` installed the firmware."""
    folder = tmp_path_factory.mktemp("blank")
    with VirtualPico(state_dir=folder) as pico:
        ionto(pico.port, "flash")
    return image.read_files(Paths(str(folder)).image)


@pytest.fixture
def pico(firmware: dict[str, bytes], tmp_path: Path) -> Iterator[VirtualPico]:
    """A flashed virtual Pico on 2 kohm in ngspice."""
    settings = {"load": 2000, "speed": "max", "bench_strap": True}
    with VirtualPico(state_dir=tmp_path / "pico", firmware=firmware, circuit="spice", **settings) as started:
        yield started


def children(pid: int) -> set[int]:
    """Return the processes below `pid`."""
    listing = subprocess.run(["ps", "-o", "pid=,ppid=", "-e"], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listing.splitlines()]
    below = {child for child, parent in pairs if parent == pid}
    return below | {one for child in below for one in children(child)}


def state(pico: VirtualPico) -> str:
    """Return the firmware's state."""
    with Device.open(pico.port) as device:
        return device.status().state_name


def start(pico: VirtualPico, folder: Path) -> None:
    """Push the dose and start it, into its full current."""
    path = folder / "dose.toml"
    path.write_text(DOSE)
    ionto(pico.port, "dose", "push", path)
    ionto(pico.port, "start")
    pico.wait(current_above_ua=1950, for_us=20_000, timeout_s=120)


def test_a_session_delivers_its_dose_through_the_drawn_circuit(pico: VirtualPico, tmp_path: Path) -> None:
    start(pico, tmp_path)
    status = pico.status()
    assert status["relay_reversed"] and status["output_on"]
    assert status["rail_v"] == pytest.approx(24, abs=0.2)
    assert status["current_ua"] == pytest.approx(2000, rel=0.01)
    wait_until(lambda: state(pico) in ("DONE", "FAULT"), 120)
    assert state(pico) == "DONE"
    meter = pico.meter()
    assert meter.charge_uc == pytest.approx(6000, rel=0.005)
    assert meter.signed_uc == pytest.approx(-meter.charge_uc, rel=0.01), "the relay turned the current round"
    assert meter.hot_switches == 0


@pytest.mark.parametrize(
    ("act", "within_us"),
    [
        (lambda pico: pico.press_stop(500, mark="act"), 20_000),
        (lambda pico: pico.fault("electrode_lift", mark="act"), 20_000),
        (lambda pico: pico.fault("heartbeat_stuck_high", mark="act"), 110_000),
        (lambda pico: pico.fault("loop_hung", mark="act"), 110_000),
    ],
    ids=["STOP", "lift", "no heartbeat", "firmware hung"],
)
def test_what_people_and_faults_do_acts_on_the_circuit(pico: VirtualPico, tmp_path: Path, act, within_us: int) -> None:
    start(pico, tmp_path)
    act(pico)
    pico.wait(current_below_ua=10, for_us=50_000, timeout_s=120)
    since = pico.since("act")
    assert since.t_below_us is not None
    assert since.t_below_us <= within_us


def test_a_power_cut_empties_the_circuit_and_the_battery_fills_it(pico: VirtualPico) -> None:
    pico.set_battery(3.7)
    pico.power_cut()
    assert pico.status()["powered"] is False
    pico.power_on()
    wait_until(lambda: pico.status().get("rail_v", 0) > 3, 60)
    assert pico.status()["current_ua"] < 1


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_simulator_that_is_ended_leaves_no_process_and_no_pipe(tmp_path: Path, end: signal.Signals) -> None:
    folder = tmp_path / "sims"
    command = [sys.executable, "-m", "ionto_host", "sim", "--circuit", "spice", "--state-dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    wait_until(Paths(folder).socket.exists, 60)
    wait_until(lambda: len(children(process.pid)) >= 2, 60)
    below = children(process.pid)
    process.send_signal(end)
    process.communicate(timeout=30)
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in below), 10)
    assert not list(folder.glob("spice*"))


def test_a_supervisor_that_is_killed_takes_the_circuit_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ionto_host", "sim", "--circuit", "spice", "--state-dir", str(tmp_path / "sim")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    wait_until(lambda: len(children(process.pid)) >= 2, 60)
    circuit = next(pid for pid in children(process.pid) if b"spice.server" in Path(f"/proc/{pid}/cmdline").read_bytes())
    process.kill()
    process.wait(timeout=10)
    deadline = time.monotonic() + 20
    while os.path.exists(f"/proc/{circuit}") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not os.path.exists(f"/proc/{circuit}")


def test_without_ngspice_it_says_what_to_install(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ionto_host", "sim", "--circuit", "spice", "--state-dir", str(tmp_path / "sim")]
    absent = {**os.environ, "IONTO_LIBNGSPICE": str(tmp_path / "nowhere.so")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=absent)
    assert done.returncode != 0
    assert "apt-get install libngspice0" in done.stderr
