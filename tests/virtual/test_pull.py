"""`ionto logs pull` on the virtual Pico: unplugged, killed, damaged on the wire and on the board, and gone on with."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest
import serial
from workbench import run_tool

from ionto_host import cli
from ionto_host.device import client as device
from ionto_host.logs import sessionfile
from ionto_host.transport import link
from ionto_sim.client import wait_until

SPOIL = """
with open("/logs/000001.ilog", "rb") as stream:
    data = bytearray(stream.read())
data[5000] ^= 4
with open("/logs/000001.ilog", "wb") as stream:
    stream.write(data)
"""


@pytest.fixture
def delivered(bench_with):
    """A board with the log of one session, 15 kB of it."""
    bench = bench_with()
    bench.push(current_ma=4, dose_ma_min=5, ramp_s=2)
    bench.ionto("start")
    bench.wait_state("DONE")
    wait_until(lambda: not bench.ionto("status")["flags"].count("log_open"), 30)
    return bench


def pull(bench, folder, *options, code=0):
    """Pull with the real command; return its answer."""
    return bench.ionto("logs", "pull", "--output", folder, *options, code=code)


@pytest.mark.hazard("HAZ-28", "HAZ-32")
def test_interrupted_at_any_byte_and_gone_on_with(delivered, tmp_path, monkeypatch, capsys):
    """The cable comes out after so many bytes; what came is kept, and the rest fetched when it is in again.

    A part that ends at any byte at all: unit/host/logs/test_store.py.
    """
    whole = tmp_path / "whole"
    (log,) = pull(delivered, whole)["logs"]
    content = (whole / "000001.ilog").read_bytes()
    assert log["verified"] and len(content) > 12_000
    for at in (0, 1, 2_048, 5_000, len(content) - 1_000):
        folder = tmp_path / f"cut{at}"
        with monkeypatch.context() as patched:
            patched.setattr(device, "LOG_WINDOW_BYTES", 1_024)
            patched.setattr(link.Link, "stream", unplugged_after(delivered.pico, at))
            code = cli.main(["--port", delivered.pico.port, "logs", "pull", "--output", str(folder)])
        assert code in (3, 6), capsys.readouterr()
        assert "goes on from there" in capsys.readouterr().err or at == 0
        assert not list(folder.glob("*.ilog")), "a log appears whole or not at all"
        delivered.pico.plug()
        wait_until(lambda: os.path.exists(delivered.pico.port), 20)
        assert pull(delivered, folder)["logs"][0]["verified"]
        assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("000001.ilog", content)]


def unplugged_after(pico, count):
    """Return a `Link.stream` during which the cable comes out once `count` bytes of logs have come."""
    real, came = link.Link.stream, 0

    def stream(self, kind, payload):
        nonlocal came
        if came >= count and os.path.exists(pico.port):
            pico.unplug()
        for data in real(self, kind, payload):
            came += len(data) - 4
            yield data

    return stream


@pytest.mark.hazard("HAZ-32")
def test_killed_in_the_middle_and_gone_on_with(delivered, tmp_path):
    """`kill -9`, as soon as there is a part; the next pull uses it, and nothing half is ever under a log's name."""
    folder = tmp_path / "logs"
    delivered.pico.set_speed(0.05)
    command = [sys.executable, "-m", "ionto_host", "--port", delivered.pico.port, "logs", "pull", "--output", folder]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: list(folder.glob("*.part")) or process.poll() is not None, 60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [path.name for path in folder.iterdir()] == ["000001.ilog.part"]
    delivered.pico.set_speed("max")
    (log,) = pull(delivered, folder)["logs"]
    assert log["verified"] and [path.name for path in folder.iterdir()] == ["000001.ilog"]


@pytest.mark.hazard("HAZ-28", "HAZ-32")
def test_damaged_on_the_wire_is_asked_for_again(delivered, tmp_path):
    """Between host and board something flips bits and drops bytes: the log comes whole all the same."""
    pull(delivered, tmp_path / "clean")
    with NoisyWire(delivered.pico.port) as (port, harmed):
        answer = json.loads(run_tool("--port", port, "--json", "logs", "pull", "--output", tmp_path / "noisy")[0])
    assert harmed and answer["logs"][0]["verified"]
    names = [tmp_path / name / "000001.ilog" for name in ("clean", "noisy")]
    assert names[0].read_bytes() == names[1].read_bytes()


class NoisyWire:
    """A port of its own that carries the bytes of another, and harms every 6,000th that the board sends."""

    def __init__(self, port):
        self._board = serial.Serial(port, timeout=0.02)
        self._master, slave = os.openpty()
        self._name = os.ttyname(slave)
        serial.Serial(self._name).close()  # raw
        self._slave, self._ended, self.harmed, self._count = slave, threading.Event(), [], 0
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._to_host, self._to_board)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self._name, self.harmed

    def __exit__(self, *error):
        self._ended.set()
        for thread in self._threads:
            thread.join(5)
        self._board.close()
        os.close(self._master)
        os.close(self._slave)

    def _to_host(self):
        while not self._ended.is_set():
            data = bytearray(self._board.read(512))
            for at in range(len(data) - 1, -1, -1):
                if (self._count + at) % 6_000 == 5_999 and len(self.harmed) < 3:
                    self.harmed.append(self._count + at)
                    data[at] ^= 0x10
            self._count += len(data)
            if data:
                os.write(self._master, data)

    def _to_board(self):
        import select

        while not self._ended.is_set():
            if select.select([self._master], [], [], 0.05)[0]:
                self._board.write(os.read(self._master, 512))


@pytest.mark.hazard("HAZ-31", "HAZ-32")
def test_damaged_on_the_board_is_kept_there_and_marked(delivered, tmp_path):
    """`--delete` deletes what was verified and nothing else; a damaged log stays on the board, and here as .damaged."""
    pico = delivered.pico
    delivered.push(dose_ma_min=0.1)
    delivered.ionto("start")
    delivered.wait_state("DONE")
    wait_until(lambda: len(delivered.ionto("logs", "list")["device"]) == 2, 30)
    delivered.ionto("maintenance")
    delivered.mpremote("exec", SPOIL)
    delivered.mpremote("reset")
    wait_until(lambda: os.path.exists(pico.port), 20)
    answer = pull(delivered, tmp_path / "logs", "--delete", code=7)
    assert answer["deleted"] == [2] and [log["verified"] for log in answer["logs"]] == [False, True]
    assert [row["id"] for row in delivered.ionto("logs", "list")["device"]] == [1]
    kept = tmp_path / "logs" / "000001.ilog.damaged"
    assert sessionfile.read(kept).damage and not sessionfile.read(kept).verified
    run_tool("logs", "verify", kept, code=7)
