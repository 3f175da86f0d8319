"""A board for other computers: an RFC 2217 server in front of its port, one client at a time.

The port is open only while a client is there, so that the client's hanging up reaches the board, and so that this
computer may use it in between. RFC 2217 has neither password nor encryption.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import serial
from serial.rfc2217 import PortManager

from ionto_host.errors import IontoError, NoDeviceError, PortBusyError, UsageError
from ionto_host.transport.network import is_remote
from ionto_host.transport.ports import PortFinder, open_port, resolve

_LOOK_S = 0.1
_PORT_BACK_S = 2.0  # a board that restarts; pyserial's clients wait 3 s for the first answer
_REFUSAL_READ_S = 1.0
_LEAVING_S = 1.0
_CHUNK_BYTES = 4096
_KEEP_ALIVE = {
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
}  # a client is given up after 25 s without a sign
_MODEM_LINES = ("cts", "dsr", "ri", "cd", "rts", "dtr", "break_condition")
_IAC = b"\xff"
_SERVER_ENDS = "this server ends"
_PORT_GONE = "the board's port is gone"

Tell = Callable[[str], None]


class _AnyPort:
    """A serial port whose modem lines may be missing, as those of a pseudo-terminal are."""

    def __init__(self, port: serial.Serial) -> None:
        object.__setattr__(self, "_port", port)

    def __getattr__(self, name: str) -> Any:
        try:
            return getattr(object.__getattribute__(self, "_port"), name)
        except OSError as error:
            if name in _MODEM_LINES and error.errno in (errno.ENOTTY, errno.EINVAL):
                return False
            raise

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            setattr(object.__getattribute__(self, "_port"), name, value)
        except OSError as error:
            if name not in _MODEM_LINES or error.errno not in (errno.ENOTTY, errno.EINVAL):
                raise


class _Session:
    """One client with the port: a thread for each direction; the first that cannot go on ends both."""

    def __init__(self, connection: socket.socket, port: serial.Serial) -> None:
        self._connection = connection
        self._port = port
        self._port.timeout = _LOOK_S
        self._sending = threading.Lock()
        self._ended = threading.Event()
        self.reason = ""

    def write(self, data: bytes) -> None:
        """Send bytes that are already escaped; `PortManager` asks for this method."""
        with self._sending:
            self._connection.sendall(data)

    def run(self) -> None:
        """Carry bytes until client or port go; `reason` says in words which."""
        outward = threading.Thread(target=self._outward, daemon=True)
        try:
            lines: Any = _AnyPort(self._port)
            network: Any = self
            manager = PortManager(lines, network)
            outward.start()
            while data := self._connection.recv(_CHUNK_BYTES):
                if not self._to_board(b"".join(manager.filter(data))):
                    break
            self.end("the client left")
        except OSError as error:
            self.end(f"the connection broke: {error}")
        except Exception as error:  # PortManager lets through what a malformed negotiation raises
            self.end(f"the client does not speak RFC 2217: {error!r}")
        if outward.ident is not None:
            outward.join()
        with suppress(OSError):
            self._port.close()

    def _to_board(self, data: bytes) -> bool:
        try:
            if data:
                self._port.write(data)
        except (OSError, TypeError):  # pyserial raises TypeError when the port is closed meanwhile
            self.end(_PORT_GONE)
            return False
        return True

    def _outward(self) -> None:
        """Carry what the board says to the client."""
        while not self._ended.is_set():
            try:
                data = self._port.read(max(1, self._port.in_waiting))
            except (OSError, TypeError):
                self.end(_PORT_GONE)
                return
            try:
                if data:
                    self.write(data.replace(_IAC, _IAC + _IAC))
            except OSError as error:
                self.end(f"the connection broke: {error}")
                return

    def end(self, reason: str) -> None:
        """Let both directions end; the first reason counts."""
        self.reason = self.reason or reason
        self._ended.set()
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)


class PortServer:
    """Serves the board at `name` (a port or a serial number) at `address`: (host, TCP port; 0 for a free one).

    `tell` gets one line for each client that comes, leaves, or is refused. `UsageError` for an address that cannot be
    served; `NoDeviceError` and others as of `resolve` and `open_port`.
    """

    def __init__(self, name: str | None, address: tuple[str, int], tell: Tell) -> None:
        self.port = resolve(name)
        if is_remote(self.port):
            raise UsageError(f"{self.port} is not a port of this computer", "Give a port that `ionto devices` lists.")
        self._finder = PortFinder(self.port)
        self._tell = tell
        self._stopping = threading.Event()
        self._free = threading.Lock()
        self._client = ""
        self._session: _Session | None = None
        self._threads: list[threading.Thread] = []
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        try:
            self._listener = socket.create_server(address, family=family)
        except (OSError, OverflowError) as error:
            raise UsageError(f"cannot listen at {address[0]}, TCP port {address[1]}: {error}") from error
        self._listener.settimeout(_LOOK_S)
        self.tcp_port: int = self._listener.getsockname()[1]
        self._try_port()

    def _try_port(self) -> None:
        """Raise what opening the port raises, once; whoever has it may let it go before a client comes."""
        try:
            open_port(self.port).close()
        except PortBusyError:
            return
        except IontoError:
            self._listener.close()
            raise

    def url(self, host: str) -> str:
        """Return what a client on a computer that knows this one as `host` gives to `--port`."""
        return f"rfc2217://{f'[{host}]' if ':' in host else host}:{self.tcp_port}"

    def serve(self) -> None:
        """Serve until `stop`."""
        with self._listener:
            while not self._stopping.is_set():
                with suppress(TimeoutError):
                    self._take(*self._listener.accept())
        if session := self._session:
            session.end(_SERVER_ENDS)
        for thread in self._threads:
            thread.join()

    def stop(self) -> None:
        """Let `serve` return; safe in a signal handler."""
        self._stopping.set()

    def _take(self, connection: socket.socket, address: tuple[Any, ...]) -> None:
        work = threading.Thread(target=self._attend, args=(connection, f"{address[0]}:{address[1]}"))
        self._threads = [thread for thread in self._threads if thread.is_alive()] + [work]
        work.start()

    def _attend(self, connection: socket.socket, client: str) -> None:
        """Serve one client to its end, or refuse it; one that leaves is given a moment to be gone."""
        with connection:
            if not self._free.acquire(timeout=_LEAVING_S):
                self._refuse(connection, client, f"in use by {self._client}")
                return
            self._client = client
            try:
                self._serve_one(connection)
            except IontoError as error:
                self._refuse(connection, client, error.message)
            finally:
                self._session = None
                self._free.release()

    def _serve_one(self, connection: socket.socket) -> None:
        _watch_over(connection)
        port = self._opened()
        self._tell(f"{self._client} has the board")
        session = self._session = _Session(connection, port)
        if self._stopping.is_set():
            session.end(_SERVER_ENDS)
        session.run()
        self._tell(f"{self._client}: {session.reason}")

    def _opened(self) -> serial.Serial:
        """Return the port, opened; a board that restarts is given a moment to come back."""
        end = time.monotonic() + _PORT_BACK_S
        while True:
            self.port = self._finder.current()
            try:
                return open_port(self.port)
            except NoDeviceError:
                if time.monotonic() > end or self._stopping.is_set():
                    raise
            time.sleep(_LOOK_S)

    def _refuse(self, connection: socket.socket, client: str, why: str) -> None:
        """Say why in plain text, which `network.refusal` reads, and close; what the client sent is read away first.

        Unread bytes would make the closing a reset, which can overtake the text.
        """
        self._tell(f"{client} was refused: {why}")
        with suppress(OSError):
            connection.settimeout(_REFUSAL_READ_S)
            connection.sendall(f"{why}\r\n".encode())
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(_CHUNK_BYTES):
                continue


def _watch_over(connection: socket.socket) -> None:
    """Send at once, and notice a client whose network is gone."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def is_local(host: str) -> bool:
    """Return True when only this computer reaches `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
