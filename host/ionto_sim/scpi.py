"""The independent meter of a virtual Pico as a multimeter on the network: SCPI lines over a TCP socket."""

from __future__ import annotations

import re
import socketserver
from contextlib import suppress

from .client import SimClient
from .errors import SimError

_READ = re.compile(r":?(MEAS(URE)?|READ|FETC(H)?)(:CURR(ENT)?)?(:DC)?\?(\s.*)?", re.IGNORECASE)
_SILENT = re.compile(r"(\*RST|\*CLS|:?(CONF(IGURE)?|SENS(E)?|SYST(EM)?|TRIG(GER)?|INIT(IATE)?)\b[^?]*)", re.IGNORECASE)
_ERRORS = re.compile(r":?SYST(EM)?:ERR(OR)?(:NEXT)?\?", re.IGNORECASE)
_NO_ERROR = '0,"No error"'
_UNKNOWN = '-113,"Undefined header"'
_NO_HARDWARE = '-241,"Hardware missing"'
_OVERLOAD = "9.9E37"


class Instrument:
    """What answers one client: `answer` takes a line without its end, and returns one, or None for silence."""

    def __init__(self, pico: SimClient) -> None:
        self._pico = pico
        self._errors: list[str] = []

    def answer(self, line: str) -> str | None:
        """Return the answer to the command or query `line`; what is not known goes to the error queue."""
        if line.upper() == "*IDN?":
            return f"IontoPico,virtual meter,{self._pico.paths.root.name},1"
        if _READ.fullmatch(line):
            return self._current()
        if _ERRORS.fullmatch(line):
            return self._errors.pop(0) if self._errors else _NO_ERROR
        if line.upper() == "*CLS":
            self._errors.clear()
        elif line and not _SILENT.fullmatch(line):
            self._errors.append(_UNKNOWN)
        return None

    def _current(self) -> str:
        """Return the current now, in A; an overload when the simulator has ended."""
        try:
            return f"{self._pico.meter().now_ua / 1e6:+.9E}"
        except SimError:
            self._errors.append(_NO_HARDWARE)
            return _OVERLOAD


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, MeterServer)
        pico = SimClient(self.server.state_dir)
        try:
            instrument = Instrument(pico)
            for raw in self.rfile:
                said = instrument.answer(raw.decode("ascii", "replace").strip())
                if said is not None:
                    self.wfile.write(said.encode() + b"\n")
        except OSError:
            pass  # the client went
        finally:
            with suppress(OSError):
                pico.disconnect()


class MeterServer(socketserver.ThreadingTCPServer):
    """Serves the meter of the virtual Pico in `state_dir` at `address` (host, TCP port; 0 for a free one)."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, state_dir: str, address: tuple[str, int]) -> None:
        SimClient(state_dir).disconnect()
        self.state_dir = state_dir
        super().__init__(address, _Handler)

    @property
    def resource(self) -> str:
        """The VISA resource of this meter, for a client on this computer."""
        return f"TCPIP::{self.server_address[0]}::{self.server_address[1]}::SOCKET"
