"""One circuit in a process of its own, asked and told through two FIFOs by the firmware's VM.

A request is `wire.REQUEST` and its arguments as JSON; one that asks is answered with `wire.ANSWER` and a JSON result.
Standard input, the supervisor's, says which pair of FIFOs is the VM's now; its end is ours.
"""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import sys
from typing import Any

from ionto_sim.spice.circuit import SpiceCircuit
from ionto_sim.spice.errors import SpiceError
from ionto_sim.spice.wire import ANSWER, ASKS, CALLS, REQUEST


class Server:
    """Serves one VM after the other with the same circuit."""

    def __init__(self) -> None:
        self._circuit: SpiceCircuit | None = None
        self._requests = self._answers = -1
        self._waiting = b""

    def run(self) -> None:
        """Serve until standard input ends."""
        while True:
            ready, _, _ = select.select([0, *([self._requests] if self._requests >= 0 else [])], [], [])
            if 0 in ready and not self._hear_supervisor():
                return
            if self._requests in ready:
                self._take()

    def _hear_supervisor(self) -> bool:
        """Take the path of the FIFOs of a new VM; False at the end."""
        line = sys.stdin.buffer.readline()
        if not line:
            return False
        for descriptor in (self._requests, self._answers):
            if descriptor >= 0:
                os.close(descriptor)
        path = line.decode().rstrip("\n")
        self._requests, self._answers = (os.open(path + end, os.O_RDWR) for end in (".ask", ".answer"))
        self._waiting = b""
        print("ready", flush=True)
        return True

    def _take(self) -> None:
        self._waiting += os.read(self._requests, 65536)
        head = struct.calcsize(REQUEST)
        while len(self._waiting) >= head:
            call, size, first, second = struct.unpack_from(REQUEST, self._waiting)
            if len(self._waiting) < head + size:
                return
            text = self._waiting[head : head + size]
            self._waiting = self._waiting[head + size :]
            self._serve(CALLS[call], first, second, json.loads(text) if size else None)

    def _serve(self, name: str, first: int, second: int, fields: Any) -> None:
        found = getattr(self, "_do_" + name)(first, second, fields)
        if name not in ASKS:
            return
        number, content = (found, b"") if isinstance(found, int) else (0, json.dumps(found).encode())
        circuit = self._on
        state = (circuit.current_na, circuit.charge_fc, int(circuit.on))
        os.write(self._answers, struct.pack(ANSWER, len(content), number, *state) + content)

    @property
    def _on(self) -> SpiceCircuit:
        if self._circuit is None:
            raise SpiceError("the circuit was asked before it was made")
        return self._circuit

    # Calls, in the order of `wire.CALLS`. `first` is a time in us.

    def _do_make(self, first: int, second: int, fields: Any) -> None:
        if self._circuit is None:
            self._circuit = SpiceCircuit(fields["variant"], fields["values"], fields["load"])

    def _do_advance(self, first: int, second: int, fields: Any) -> int:
        self._on.advance(first)
        return 0

    def _do_duty(self, first: int, second: int, fields: Any) -> None:
        self._on.set_duty(first, second)

    def _do_heartbeat(self, first: int, second: int, fields: Any) -> None:
        self._on.heartbeat(first, second)

    def _do_boost(self, first: int, second: int, fields: Any) -> None:
        self._on.set_boost(first, bool(second))

    def _do_relay(self, first: int, second: int, fields: Any) -> None:
        self._on.set_relay(first, bool(second))

    def _do_shunt(self, first: int, second: int, fields: Any) -> int:
        return self._on.shunt_nv(first - fields, first, second)

    def _do_second(self, first: int, second: int, fields: Any) -> int:
        return self._on.second_nv(first - fields, first, second)

    def _do_adc(self, first: int, second: int, fields: Any) -> int:
        return self._on.adc_u16(second, first)

    def _do_call(self, first: int, second: int, fields: Any) -> Any:
        """Call a method by name, with the time and further arguments."""
        name, arguments = fields
        return getattr(self._on, name)(first, *arguments)

    def _do_meter(self, first: int, second: int, fields: Any) -> Any:
        """Call a method of the meter, after the books were brought to the time."""
        name, arguments = fields
        self._on.advance(first)
        self._on.meter.now_us = first
        try:
            return [getattr(self._on.meter, name)(*arguments)]
        except KeyError:
            return []

    def _do_look(self, first: int, second: int, fields: Any) -> Any:
        """Return what a status shows."""
        circuit = self._on
        return {
            "rail_v": circuit.rail_v(first),
            "reversed": circuit.reversed,
            "load_ohm": circuit.load.series_ohm + circuit.load.parallel_ohm,
        }

    def _do_dump(self, first: int, second: int, fields: Any) -> Any:
        return self._on.dump()

    def _do_restore(self, first: int, second: int, fields: Any) -> int:
        self._on.restore(fields)
        return 0


def main() -> int:
    """Serve until the supervisor is gone; 1, with the reason on standard error, when ngspice gives up."""
    for number in (signal.SIGINT, signal.SIGTERM):  # ngspice may hang on either: the supervisor ends us
        signal.signal(number, signal.SIG_IGN)
    try:
        Server().run()
    except SpiceError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
