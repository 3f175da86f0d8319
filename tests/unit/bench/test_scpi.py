"""The SCPI multimeter through the real pyvisa-py, against an instrument on a socket and on a serial line."""

import os
import socket
import sys
import threading
import tty

import pytest

from ionto_host.bench.benchfile import MeterSpec
from ionto_host.bench.instruments import ScpiMeter
from ionto_host.errors import BenchError

ANSWERS = {"*IDN?": "Maker,Model 1,SN 7,1.0", "MEAS:CURR:DC?": "+2.00123E-03", "READ?": "-1.5E-3,ADC"}


class Instrument:
    """Answers line by line; `commands` is what it was told."""

    def __init__(self, answers):
        self.answers, self.commands = answers, []

    def serve(self, read, write):
        pending = b""
        while data := read():
            pending += data
            while b"\n" in pending:
                line, pending = pending.split(b"\n", 1)
                word = line.decode().strip()
                if word in self.answers:
                    write(self.answers[word].encode() + b"\n")
                else:
                    self.commands.append(word)


@pytest.fixture
def on_socket():
    """Start an instrument on a TCP socket; return its resource name."""
    servers = []

    def start(instrument):
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def run():
            connection, _ = server.accept()
            with connection:
                instrument.serve(lambda: connection.recv(256), connection.sendall)

        threading.Thread(target=run, daemon=True).start()
        return f"TCPIP::127.0.0.1::{server.getsockname()[1]}::SOCKET"

    yield start
    for server in servers:
        server.close()


def open_meter(resource, query="MEAS:CURR:DC?", setup=()):
    return ScpiMeter(MeterSpec("scpi", "dmm", 10_000, 500, 2, resource=resource, query=query, setup=setup))


def test_a_multimeter_on_the_network(on_socket):
    instrument = Instrument(ANSWERS)
    meter = open_meter(on_socket(instrument), setup=("CONF:CURR:DC 0.01", "TRIG:SOUR IMM"))
    try:
        assert meter.identification == "Maker,Model 1,SN 7,1.0"
        assert meter.read_ua() == pytest.approx(2_001.23)
        sample = meter.sample()
        assert sample.current_ua == pytest.approx(2_001.23) and sample.t_s > 0
        assert instrument.commands == ["CONF:CURR:DC 0.01", "TRIG:SOUR IMM"]
    finally:
        meter.close()


def test_a_multimeter_on_a_serial_line():
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    threading.Thread(
        target=Instrument(ANSWERS).serve,
        args=(lambda: os.read(ours, 256), lambda data: os.write(ours, data)),
        daemon=True,
    ).start()
    meter = open_meter(f"ASRL{os.ttyname(theirs)}::INSTR", query="READ?")
    try:
        assert meter.read_ua() == pytest.approx(-1_500)
    finally:
        meter.close()


@pytest.mark.parametrize(
    ("answer", "text"),
    [("9.9E37", "overload"), ("-9.9E+37", "overload"), ("nan", "overload"), ("OVLD", "not a number")],
)
def test_what_is_no_current_is_refused(on_socket, answer, text):
    meter = open_meter(on_socket(Instrument({**ANSWERS, "MEAS:CURR:DC?": answer})))
    with pytest.raises(BenchError, match=text):
        meter.read_ua()
    meter.close()


def test_a_resource_that_is_not_there():
    with pytest.raises(BenchError, match="cannot open ASRL/dev/nothing::INSTR"):
        open_meter("ASRL/dev/nothing::INSTR")


class Visa:
    """pyvisa with a port that fails at `word`: a command it is told, or an attribute it is given."""

    def __init__(self, word):
        self.__dict__.update(word=word, closed=False, ResourceManager=lambda backend: self)

    def open_resource(self, resource, open_timeout):
        return self

    def __setattr__(self, name, value):
        if name == self.word:
            raise AttributeError(f"no {name}")

    def write(self, command):
        if command == self.word:
            raise RuntimeError("the cable is out")

    def query(self, query):
        return "Maker"

    def close(self):
        self.__dict__["closed"] = True


@pytest.mark.parametrize(
    ("word", "text"), [("CONF", "cannot send CONF: the cable"), ("baud_rate", "cannot open ASRL1")]
)
def test_a_port_that_fails_half_way_is_closed(monkeypatch, word, text):
    visa = Visa(word)
    monkeypatch.setitem(sys.modules, "pyvisa", visa)
    with pytest.raises(BenchError, match=text):
        open_meter("ASRL1::INSTR", setup=("CONF",))
    assert visa.closed


def test_silence_is_an_error(on_socket, monkeypatch):
    monkeypatch.setattr("ionto_host.bench.instruments._SCPI_TIMEOUT_MS", 200)
    with pytest.raises(BenchError, match="no answer to"):
        open_meter(on_socket(Instrument({})))
