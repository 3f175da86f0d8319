"""A virtual Pico with the tools of its user around it: the real `ionto` and the real `mpremote`."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager

from ionto_host.device.client import Device
from ionto_host.patience import patient
from ionto_host.transport import simulators
from ionto_sim.client import wait_until
from ionto_sim.config import Paths
from ionto_sim.errors import SimCommandError

BENCH_DOSE = """\
schema = 1
name = "{name}"
drug = "none"
site = "bench"
current_ma = {current_ma}
dose_ma_min = {dose_ma_min}
electrode_area_cm2 = 10
polarity = "{polarity}"
ramp_up_s = {ramp_s}
ramp_down_s = {ramp_s}
starts = {starts}
{tables}
"""


_HOLDING = "full current"  # a mark
CEILING_S = 300  # of wall time, for what takes seconds: a safety net, never what a test waits for


def run_tool(*arguments, code=0, timeout_s=CEILING_S, env=None):
    """Run `ionto` as a user would; return (stdout, stderr) after checking its exit code."""
    command = [sys.executable, "-m", "ionto_host", *map(str, arguments)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=patient(timeout_s),
        env={**os.environ, "NO_COLOR": "1", **(env or {})},
    )
    assert done.returncode == code, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


class Bench:
    """A virtual Pico with the tools of its user around it."""

    def __init__(self, pico, folder, speed="max"):
        self.pico = pico
        self.speed = speed
        self.folder = folder

    def ionto(self, *arguments, **options):
        """Run `ionto --json` on this board; return what it printed, parsed."""
        out, _ = run_tool("--port", self.pico.port, "--json", *arguments, **options)
        return json.loads(out) if out.strip() else None

    def ionto_with_a_press(self, *arguments):
        """Run `ionto` as a person does, and press START when it says that this needs a hand on the board."""
        command = [sys.executable, "-m", "ionto_host", "--port", self.pico.port, *map(str, arguments)]
        environment = {**os.environ, "NO_COLOR": "1", "IONTO_PATIENCE": "20"}  # how long it tries again for
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, text=True, env=environment, **pipes) as process:
            said = next((line for line in process.stderr if "needs a hand" in line), "")
            assert said, "it asked for no hand"
            self.pico.press_start(200)
            out, err = process.communicate(timeout=CEILING_S)
        assert process.returncode == 0, out + err

    def mpremote(self, *arguments, timeout_s=CEILING_S):
        """Run the stock `mpremote` on this board; return its output."""
        command = [sys.executable, "-m", "mpremote", "connect", self.pico.port, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=patient(timeout_s))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def wait(self, **when):
        """Wait until `when` holds on the virtual Pico (SimClient.wait); return the virtual time in us."""
        return self.pico.wait(timeout_s=CEILING_S, **when)

    def pass_us(self, us):
        """Wait until `us` of virtual time have passed."""
        self.wait(t_us=self.pico.status()["t_us"] + us)

    def booted_after(self, act):
        """Do `act` and wait until the board has booted once more."""
        boots = self.pico.status()["boots"]
        act()
        self.wait(boots=boots + 1)

    def says(self, text):
        """Wait until the console has `text`."""
        wait_until(lambda: text in self.pico.console, CEILING_S)

    def device(self):
        """Return the Python API's client for this board."""
        return Device.open(self.pico.port)

    def push(self, current_ma=2, dose_ma_min=1, ramp_s=1, polarity="+", name="test", starts=1, tables=()):
        """Write a dose file, with the TOML `tables` of a waveform or a reversal, and push it."""
        path = self.folder / "dose.toml"
        values = {"current_ma": current_ma, "dose_ma_min": dose_ma_min, "ramp_s": ramp_s, "polarity": polarity}
        values |= {"starts": starts, "tables": "\n".join(tables)}
        path.write_text(BENCH_DOSE.format(name=name, **values))
        return self.ionto("dose", "push", path)

    def start_and_hold(self, for_us=300_000, speed=None, **dose):
        """Start a session and wait until the full current has flowed for `for_us` of virtual time; go on at `speed`.

        At that moment the virtual Pico falls back to real time, until the caller has been told: a dose that lasts half
        a minute is over in half a second at full speed, and on a busy machine no test would come in time.
        """
        self.push(**dose)
        full_ua = dose.get("current_ma", 2) * 1000
        slow_down = {"cmd": "all", "do": [{"cmd": "mark", "name": _HOLDING}, {"cmd": "speed", "speed": 1.0}]}
        self.pico.at(slow_down, current_above_ua=0.98 * full_ua, for_us=for_us)
        self.ionto("start")
        wait_until(self._is_holding, CEILING_S)
        self.pico.set_speed(speed or self.speed)

    def _is_holding(self):
        try:
            return self.pico.since(_HOLDING)
        except SimCommandError:
            return None

    def wait_state(self, *states, timeout_s=CEILING_S):
        """Return the status once its state is one of `states`."""
        end = time.monotonic() + patient(timeout_s)
        with self.device() as device:
            while True:
                status = device.status()
                if status.state_name in states:
                    return status
                assert time.monotonic() < end, f"state {status.state_name}, wanted {states}"
                time.sleep(patient(0.02))


@contextmanager
def simulator(folder, *options):
    """Run `ionto sim` as in a second terminal."""
    command = [sys.executable, "-m", "ionto_host", "sim", "--speed", "max", "--load", "2000", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    try:
        wait_until(simulators.running, CEILING_S)
        yield Paths(folder / "sims" / "default")
    finally:
        process.terminate()
        process.communicate(timeout=CEILING_S)
