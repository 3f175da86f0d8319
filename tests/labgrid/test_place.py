"""examples/labgrid on loopback: the real coordinator, exporter and client, a virtual Pico as the exported port.

Run by `make labgrid`, in the environment that has labgrid.
"""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ionto_sim.client import VirtualPico

pytest.importorskip("labgrid", reason="needs labgrid: make labgrid")
ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "labgrid"
IONTO = (sys.executable, "-m", "ionto_host")
START_S = 30


def program(name):
    """Return a program of labgrid in this environment."""
    return str(Path(sys.executable).with_name(name))


class Lab:
    """The processes of a lab; every one ends with it. `address` is the coordinator's."""

    def __init__(self, folder):
        self.folder = folder
        self.address = ""
        self._stack = ExitStack()

    def start(self, *command, until, **environment):
        """Start a process that goes on, and return its first line of output with `until` in it."""
        errors = (self.folder / f"{Path(command[-1]).name}.txt").open("w+")
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd=self.folder,
            env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
        )
        self._stack.callback(self._end, process, errors)
        for line in process.stdout:
            if until in line:
                return line
        errors.seek(0)
        raise AssertionError(f"{command} ended with {process.wait()}: {errors.read()}")

    @staticmethod
    def _end(process, errors):
        process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        errors.close()

    def client(self, *arguments, code=0):
        """Run labgrid-client on the place; return what it said."""
        command = [program("labgrid-client"), "-x", self.address, "-p", "bench1", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_S, cwd=self.folder)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def close(self):
        self._stack.close()


@pytest.fixture
def lab(tmp_path):
    """A lab with one bench: a virtual Pico, served, its meter as a multimeter, both exported; nobody has the place."""
    made = Lab(tmp_path)
    try:
        with VirtualPico(state_dir=tmp_path / "pico", load=2000, bench_strap=True) as pico:
            subprocess.run([*IONTO, "--port", pico.port, "flash"], check=True, capture_output=True, timeout=120)
            served = made.start(*IONTO, "--json", "--port", pico.port, "serve", "--tcp-port", "0", until="url")
            state = ("--state-dir", str(pico.paths.root))
            metered = made.start(*IONTO, "--json", "sim", "meter", *state, "--scpi", "0", until="resource")
            listens = made.start(program("labgrid-coordinator"), "-l", "127.0.0.1:0", until="listening on")
            made.address = listens.split()[-1]
            made.start(
                *(program("labgrid-exporter"), "-c", made.address, "-n", "bench-pi", "--hostname", "127.0.0.1"),
                str(EXAMPLE / "exporter.yaml"),
                until="Exporter ready",
                BOARD_HOST="127.0.0.1",
                BOARD_TCP_PORT=str(json.loads(served)["tcp_port"]),
                METER_HOST="127.0.0.1",
                METER_TCP_PORT=json.loads(metered)["resource"].split("::")[2],
            )
            made.client("create")
            made.client("add-match", "bench-pi/bench1/*")
            made.pico = pico
            yield made
    finally:
        made.close()


def run_example(lab, *arguments):
    """Run the example's tests as its user does; return the finished process and the JUnit report."""
    report = lab.folder / "junit.xml"
    command = [sys.executable, "-m", "pytest", str(EXAMPLE), "-p", "no:cacheprovider", f"--junitxml={report}"]
    command += ["--lg-env", str(EXAMPLE / "environment.yaml"), "--lg-coordinator", lab.address]
    command += ["--device", "bench", "--bench", str(EXAMPLE / "bench.toml"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    return done, report


def test_the_fixtures_on_a_place(lab):
    """Not before the place is acquired; then board and meter are those of the place."""
    refused, _ = run_example(lab)
    assert refused.returncode != 0
    assert "not acquired" in refused.stdout + refused.stderr
    lab.client("acquire")
    assert "bench-pi/bench1/NetworkSerialPort" in lab.client("show")
    record = lab.folder / "record.json"
    done, report = run_example(lab, "--bench-record", str(record))
    assert done.returncode == 0, done.stdout + done.stderr
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert (suite.get("tests"), suite.get("skipped")) == ("2", "0")
    assert lab.pico.meter().peak_ua > 950, "the current flowed in the circuit of the virtual Pico"
    assert "virtual meter" in record.read_text(), "and was read by the meter of the place"
    lab.client("release")
