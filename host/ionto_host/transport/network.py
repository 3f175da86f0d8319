"""A port of another computer, as rfc2217://HOST:PORT: why it does not open, in words.

Whoever serves it (`ionto serve`, ser2net, labgrid's exporter) speaks RFC 2217, or says in plain text why not.
"""

from __future__ import annotations

import re
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from ionto_host.errors import IontoError, NoDeviceError, PortBusyError, PortVanishedError, TransportError, UsageError

SCHEME = "rfc2217"
_CONNECT_S = 5.0
_WORDS_S = 3.0  # a server gives a board that restarts a moment before it refuses
_WORDS_BYTES = 400
_NEGOTIATION = re.compile(rb"\xff[\xfb-\xfe].", re.DOTALL)  # IAC, WILL to DONT, option
_READER = "pySerial RFC 2217 reader thread"
_SERVE = "Start `ionto serve` on the computer that has the board; check host, TCP port and firewall."
_LOOK_THERE = "See on the other computer whether `ionto serve` runs and whether the board is plugged in."
_NO_LINES = "Append ?ign_set_control to the URL: the confirmation is not waited for then."
_NOT_TELNET = "Serve it with `ionto serve`, or ser2net with telnet(rfc2217); docs/remote.md."


def is_remote(port: str) -> bool:
    """Return True when `port` is a URL, so that no file of this computer stands for it."""
    return "://" in port


def place(url: str) -> tuple[str, int]:
    """Return host and TCP port of `url`; `UsageError` when it does not name both."""
    parts = urlsplit(url)
    try:
        if parts.hostname and parts.port:
            return parts.hostname, parts.port
    except ValueError:
        pass
    raise UsageError(f"{url} does not name host and TCP port", "Give it as rfc2217://HOST:PORT.")


def open_error(url: str, error: Exception) -> IontoError:
    """Return what to say about `url`, which failed to open with pyserial's `error`; may ask the server once more."""
    host, tcp_port = place(url)
    where, cause = f"{host}:{tcp_port}", error.__context__
    if isinstance(cause, OSError) and "Could not open port" in str(error):
        return NoDeviceError(f"no board is served at {where}: {cause.strerror or cause}", _SERVE)
    words = refusal(host, tcp_port)
    if "in use" in words.lower():
        return PortBusyError(f"{url} is in use by another program: {words}", port=url)
    if words:
        return NoDeviceError(f"{where} does not give the board: {words}", _LOOK_THERE)
    if "'control'" in str(error):
        return TransportError(f"{where} does not confirm DTR and RTS", _NO_LINES, port=url)
    return TransportError(f"{where} does not answer as a serial port by RFC 2217", _NOT_TELNET, port=url)


def unreachable(url: str, error: Exception) -> NoDeviceError:
    """Return what to say about another kind of URL than RFC 2217's, which failed to open with pyserial's `error`."""
    cause = error.__context__
    why = cause.strerror or str(cause) if isinstance(cause, OSError) else str(error)
    return NoDeviceError(f"no board is served at {url}: {why}", "Check host, TCP port and firewall.")


def refusal(host: str, tcp_port: int) -> str:
    """Return the text with which a server turns a client away and closes, "" when it says nothing or stays."""
    said = b""
    try:
        with socket.create_connection((host, tcp_port), timeout=_CONNECT_S) as connection:
            connection.settimeout(_WORDS_S)
            while len(said) < _WORDS_BYTES and (data := connection.recv(_WORDS_BYTES)):
                said += data
    except ConnectionResetError:
        pass
    except OSError:
        return ""
    text = " ".join(_NEGOTIATION.sub(b"", said).decode("ascii", "replace").split())
    return text if text.isprintable() and text.isascii() else ""


@contextmanager
def quiet_reader() -> Iterator[None]:
    """Keep off the screen what pyserial's reader thread dies of when a server closes in the middle of the telnet.

    And that pyserial starts that thread by methods which Python deprecates.
    """
    before = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        if args.thread is None or not args.thread.name.startswith(_READER):
            before(args)

    threading.excepthook = hook
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        threading.excepthook = before


def vanished(port: str, error: Exception) -> PortVanishedError:
    """Return the error for `port`, which went while it was in use: what pyserial says of a URL is not for people."""
    if not is_remote(port):
        return PortVanishedError(f"{port} is gone: {error}", port=port)
    action = f"{_LOOK_THERE} A session goes on; `ionto status` shows it."
    return PortVanishedError(f"{port} is gone: the connection ended", action, port=port)
