"""The control endpoint of a simulator: JSON lines over the Unix socket of its state directory, one at a time for it."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .config import Paths
from .errors import SimStartError

_SOCKET_PATH = 90  # bytes; 104 is the least that systems allow


class Client:
    """A control connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.buffer = b""

    def send(self, message: dict[str, Any]) -> None:
        """Send one answer; a client that has gone is not an error."""
        try:
            self.connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return


class ControlServer:
    """Owns the state directory of `paths` while open; `serve(client, message)` is called with every command."""

    def __init__(self, paths: Paths, serve: Callable[[Client, dict[str, Any]], None]) -> None:
        self._paths = paths
        self._serve = serve
        self._clients: dict[int, Client] = {}
        self._failures: list[str] = []
        self._socket_dir = ""
        self._lock = -1
        self._listener: socket.socket | None = None

    def lock(self) -> None:
        """Take the state directory; SimStartError when another simulator has it."""
        self._paths.root.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self._paths.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise SimStartError(
                f"a simulator already runs in {self._paths.root}; stop it or choose another state directory"
            ) from error

    def listen(self) -> None:
        """Open the control socket in the state directory, by a link where its path is too long for a socket."""
        self._paths.socket.unlink(missing_ok=True)
        address = self._paths.socket
        if len(os.fsencode(address)) > _SOCKET_PATH:
            self._socket_dir = tempfile.mkdtemp(prefix="ionto-sim-")
            address = Path(self._socket_dir) / "s"
            self._paths.socket.symlink_to(address)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(address))
        self._listener.listen(16)

    def register(self, poll: select.poll) -> None:
        """Ask `poll` for what clients have to say."""
        assert self._listener is not None
        poll.register(self._listener, select.POLLIN)
        for descriptor in self._clients:
            poll.register(descriptor, select.POLLIN)

    def take(self, descriptor: int) -> None:
        """Serve `descriptor`, which is ready to be read; nothing to do when it is not one of this endpoint."""
        if self._listener is not None and descriptor == self._listener.fileno():
            client = Client(self._listener.accept()[0])
            self._clients[client.connection.fileno()] = client
        elif descriptor in self._clients:
            self._read(self._clients[descriptor])

    def _read(self, client: Client) -> None:
        try:
            data = client.connection.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._clients = {key: other for key, other in self._clients.items() if other is not client}
            client.connection.close()
            return
        *lines, client.buffer = (client.buffer + data).split(b"\n")
        for line in lines:
            self._take_line(client, line)

    def report(self, text: str) -> None:
        """Keep `text`, what went wrong with a scheduled command: the next command is refused with it."""
        self._failures.append(text)

    def _take_line(self, client: Client, line: bytes) -> None:
        message = _command(line)
        if message is None:
            client.send({"id": None, "ok": False, "error": "a command is a JSON object with cmd, on a line of its own"})
            return
        answer: dict[str, Any] = {"id": message.get("id"), "ok": True, "result": self._failures}
        if message["cmd"] == "failures":
            self._failures = []
        elif self._failures and message["cmd"] != "stop":
            told = "; ".join(self._failures)
            answer = {"id": message.get("id"), "ok": False, "error": f"a command scheduled before failed: {told}"}
            self._failures = []
        else:
            self._serve(client, message)
            return
        client.send(answer)

    def close(self) -> None:
        """End all connections and give the state directory back."""
        self.forget()
        self._paths.socket.unlink(missing_ok=True)
        if self._socket_dir:
            shutil.rmtree(self._socket_dir, ignore_errors=True)

    def forget(self) -> None:
        """Close every descriptor here, as a forked process does with those of its parent."""
        for client in self._clients.values():
            client.connection.close()
        self._clients.clear()
        if self._listener is not None:
            self._listener.close()
        os.close(self._lock)


def _command(line: bytes) -> dict[str, Any] | None:
    """Return the command in `line`, None when it is none."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) and isinstance(message.get("cmd"), str) else None
