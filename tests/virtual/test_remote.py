"""A board of another computer: the real `ionto` and `mpremote` over rfc2217://, through the real `ionto serve`."""

import json
import socket
import subprocess
import sys

import pytest
from workbench import CEILING_S, Bench, run_tool

from ionto_host.bench.benchfile import MeterSpec
from ionto_host.bench.instruments import ScpiMeter
from ionto_host.device.client import Device
from ionto_host.errors import NoDeviceError, PortBusyError, PortVanishedError
from ionto_sim.client import wait_until


class Served:
    """`ionto` in a process of its own that goes on; `first` is the first line of what it prints."""

    def __init__(self, *arguments, told):
        self._errors = told.open("w+")
        command = [sys.executable, "-m", "ionto_host", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._errors, text=True)
        assert self.process.stdout is not None
        self.first = self.process.stdout.readline()

    @property
    def told(self):
        self._errors.seek(0)
        return self._errors.read()

    def close(self):
        self.process.terminate()
        assert self.process.wait(20) == 0
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._errors.close()


class Server(Served):
    """`ionto serve` in front of `port`, on a free TCP port of this computer; `told` is what it said of its clients."""

    def __init__(self, port, folder):
        super().__init__("--port", port, "serve", "--tcp-port", "0", told=folder / "serve.txt")
        self.url = self.first.split()[-1]
        assert self.url.startswith("rfc2217://127.0.0.1:"), self.told
        self.impatient = f"{self.url}?timeout=0.5"  # pyserial waits 3 s for the telnet of a server that refuses


@pytest.fixture
def served(tmp_path):
    """Serve the port of a virtual Pico; every server ends with the test."""
    servers = []

    def serve(pico):
        servers.append(Server(pico.port, tmp_path))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


class RemoteBench(Bench):
    """A bench whose tools go by the URL."""

    def __init__(self, pico, folder, url):
        super().__init__(pico, folder)
        self.url = url

    def ionto(self, *arguments, **options):
        out, _ = run_tool("--port", self.url, "--json", *arguments, **options)
        return json.loads(out) if out.strip() else None

    def device(self):
        return Device.open(self.url)


def test_the_whole_tool_by_url(bench, served):
    """Dose, session, monitor, log, doctor, prompt, flash: nothing needs the computer that has the board."""
    remote = RemoteBench(bench.pico, bench.folder, served(bench.pico).url)
    remote.push(current_ma=4, dose_ma_min=0.5, ramp_s=1)
    remote.ionto("start")
    out, _ = run_tool("--port", remote.url, "--json", "monitor", "--timeout", "60")
    assert json.loads(out.splitlines()[-1])["state"] == "DONE"
    (log,) = remote.ionto("logs", "pull", "--output", bench.folder / "logs")["logs"]
    assert log["verified"]
    assert bench.pico.meter().charge_uc == pytest.approx(30_000, rel=0.006)
    bench.pico.set_speed(1)
    findings = {row["name"]: row["level"] for row in remote.ionto("doctor")["findings"]}
    assert findings["board"] == findings["firmware"] == "ok"
    remote.ionto("maintenance")
    command = [sys.executable, "-m", "mpremote", "connect", remote.url, "fs", "rm", ":/lib/ionto_pack.mpy"]
    subprocess.run(command, check=True, capture_output=True, timeout=CEILING_S)
    assert "/lib/ionto_pack.mpy" in remote.ionto("flash")["written"]


def test_one_client_at_a_time_and_no_bootloader(bench, served):
    server = served(bench.pico)
    bench.pico.set_speed(1)
    with Device.open(server.url) as first:
        out, _ = run_tool("--port", server.impatient, "--json", "status", code=6)
        error = json.loads(out)["error"]
        assert error["kind"] == "PortBusyError"
        assert "in use by 127.0.0.1:" in error["message"]
        assert first.status().state_name == "IDLE"
    with Device.open(bench.pico.port), pytest.raises(PortBusyError, match="in use by another program"):
        Device.open(server.impatient)
    out, _ = run_tool("--port", server.url, "--json", "flash", "--micropython", code=4)
    assert "another computer" in json.loads(out)["error"]["message"]


def test_client_and_board_go_and_come_back(bench, served):
    """A client that is killed leaves the session alone; a pulled cable is told, refused with a reason, and healed."""
    server = served(bench.pico)
    bench.start_and_hold(current_ma=2, dose_ma_min=40, speed=1)
    script = f"import serial, time; serial.serial_for_url({server.url!r}); print('open', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as client:
        assert client.stdout is not None and client.stdout.readline() == b"open\n"
        client.kill()
    wait_until(lambda: "left" in server.told or "broke" in server.told)
    with Device.open(server.url) as device:
        assert device.status().state_name == "HOLD"
        bench.pico.unplug()
        with pytest.raises(PortVanishedError) as caught:
            while True:
                device.status()
        assert "other computer" in caught.value.action
    wait_until(lambda: "the board's port is gone" in server.told)
    with pytest.raises(NoDeviceError, match="does not give the board: there is no port"):
        Device.open(server.url)
    bench.pico.plug()
    with Device.open(server.url) as device:
        assert device.status().state_name == "HOLD", "the session went on"
        device.abort()


def test_the_meter_as_a_multimeter_on_the_network(bench):
    """What a bench file calls a meter of kind "scpi", through pyvisa-py; and what it says to nonsense."""
    state = ("--state-dir", str(bench.pico.paths.root))
    server = Served("--json", "sim", "meter", *state, "--scpi", "0", told=bench.folder / "scpi.txt")
    try:
        resource = json.loads(server.first)["resource"]
        meter = ScpiMeter(MeterSpec("scpi", "sim", 8_000, 0, 0, resource=resource))
        assert meter.identification.startswith("IontoPico,virtual meter")
        assert abs(meter.read_ua()) < 5
        bench.start_and_hold(current_ma=2, dose_ma_min=40, polarity="-", speed=1)
        assert meter.read_ua() == pytest.approx(bench.pico.meter().now_ua, rel=0.01)
        meter.close()
        with socket.create_connection(("127.0.0.1", int(resource.split("::")[2])), timeout=CEILING_S) as raw:
            raw.sendall(b"VOLT?\r\nCONF:CURR:DC 0.01\nSYST:ERR?\nsystem:error:next?\n")
            with raw.makefile() as lines:
                assert [lines.readline(), lines.readline()] == ['-113,"Undefined header"\n', '0,"No error"\n']
    finally:
        server.close()
