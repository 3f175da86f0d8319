"""The RFC 2217 server on a bare pseudo-terminal, and what is said when a URL does not open."""

import os
import pty
import socket
import threading
import tty
from contextlib import contextmanager, suppress

import pytest
import serial
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ionto_host.errors import NoDeviceError, PortBusyError, TransportError, UsageError
from ionto_host.transport import network
from ionto_host.transport.ports import open_port
from ionto_host.transport.serving import PortServer, is_local


@contextmanager
def pseudo_terminal():
    board, other = pty.openpty()
    tty.setraw(other)
    try:
        yield board, os.ttyname(other)
    finally:
        os.close(board)
        os.close(other)


@contextmanager
def server(port):
    made = PortServer(port, ("127.0.0.1", 0), lambda text: None)
    thread = threading.Thread(target=made.serve)
    thread.start()
    try:
        yield made
    finally:
        made.stop()
        thread.join()


@pytest.fixture(scope="module")
def line():
    """A client and the board's end of the port that it has."""
    with pseudo_terminal() as (board, name), server(name) as made, open_port(made.url("127.0.0.1")) as client:
        client.timeout = 5
        yield client, board


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(min_size=1, max_size=300) | st.text("\xff\r\n\x00", min_size=1).map(lambda s: s.encode("latin1")))
def test_every_byte_arrives_both_ways(line, data):
    """Telnet has its own meaning for 0xff; a frame may hold any byte."""
    client, board = line
    client.write(data)
    there = b""
    while len(there) < len(data):
        there += os.read(board, 4096)
    os.write(board, data)
    assert (there, client.read(len(data))) == (data, data)


def test_clients_that_talk_rubbish_do_not_keep_the_port():
    """Every option of RFC 2217 without its value, and with one that makes no sense; then a client that means it."""
    with pseudo_terminal() as (_, name), server(name) as made:
        for option in range(14):
            for value in (b"", b"\x77", b"\x77" * 9):
                with socket.create_connection(("127.0.0.1", made.tcp_port), timeout=5) as raw:
                    raw.sendall(b"\xff\xfa\x2c" + bytes([option]) + value + b"\xff\xf0\xff\xfb")
                    raw.shutdown(socket.SHUT_WR)
                    while raw.recv(4096):
                        continue
        with open_port(made.url("127.0.0.1")) as client:
            assert client.is_open


def test_the_lines_of_a_port_without_lines_are_no_error(line):
    client, _ = line
    client.dtr = client.rts = False
    assert client.cts is False


def test_who_listens_there():
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        tcp_port = nobody.getsockname()[1]
    with pytest.raises(NoDeviceError, match=r"no board is served at 127.0.0.1:\d+"):
        open_port(f"rfc2217://127.0.0.1:{tcp_port}")


@pytest.mark.parametrize(
    ("said", "words", "kind"),
    [
        (b"\xff\xfb\x03\xff\xfd\x2cPort already in use\r\n", "Port already in use", PortBusyError),
        (b"no\r\n", "does not give the board: no", NoDeviceError),
        (b"", "does not answer as a serial port", TransportError),
    ],
)
def test_what_a_server_says_instead_of_serving(said, words, kind):
    """Another server than ours: it says why and closes, or it only closes."""

    def answer(listener, done):
        while not done.is_set():
            with suppress(TimeoutError), listener.accept()[0] as connection:
                connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        done = threading.Event()
        thread = threading.Thread(target=answer, args=(listener, done))
        thread.start()
        with pytest.raises(kind) as caught:
            open_port(f"rfc2217://127.0.0.1:{listener.getsockname()[1]}?timeout=0.3")
        done.set()
        thread.join()
    assert words in caught.value.message


@pytest.mark.parametrize(
    "url", ["rfc2217://", "rfc2217://host", "rfc2217://host:x", "rfc2217://host:70000", "rfc2217://:1"]
)
def test_a_url_without_host_or_port(url):
    with pytest.raises(UsageError, match="does not name host and TCP port"):
        open_port(url)


def test_only_what_this_computer_has_is_served():
    with pytest.raises(UsageError, match="not a port of this computer"):
        PortServer("rfc2217://host:1", ("127.0.0.1", 0), print)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="cannot listen"):
        PortServer("/dev/null", taken.getsockname(), print)


def test_addresses():
    assert is_local("127.0.0.1") and is_local("::1") and is_local("localhost")
    assert not is_local("0.0.0.0") and not is_local("bench-pi")
    with pseudo_terminal() as (_, name), server(name) as made:
        assert network.place(made.url("::1")) == ("::1", made.tcp_port)
        assert serial.serial_for_url(made.url("::1"), do_not_open=True).port == made.url("::1")
