"""Frames over the serial port: collects requests, sends answers piece by piece, skips what is not a frame."""

import binascii
import json
import struct

from ionto import crc, frames, protocol
from ionto.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable

    from ionto.serialport import SerialPort

ANSWERED = const(-1)  # in place of a code: the answer is on its way, or comes later
_BUFFER_BYTES = const(2_080)
_IDLE_CYCLES = const(200)  # a frame that stops arriving is dropped after about 0.2 s
_BANNER_CYCLES = const(1_000)
_NEWLINES = b"\r\n"
_STALL_CYCLES = const(500)  # without a byte taken: the host has gone, and the rest of a bulk frame with it
_BYTES_A_PIECE = const(2)  # each costs up to 95 us: the poll, the read or write, and a USB packet
_SHORT_BYTES = const(32)  # a frame that is checked in the piece that completes it
_CHECKED_BYTES = const(6)
_RECEIVE, _LOOK, _CHECK, _PASS_ON = range(4)


class UsbLink:
    """The device end of the protocol; `handle(kind, sequence, buffer, start, length)` gets every good request.

    A request that is not `ready(kind)` is kept and asked about again in the next cycle; what came behind it waits.

    The work is cut into pieces, so that a control cycle on the RP2040 has room for one and ends in its millisecond.
    Nothing here allocates or waits.
    """

    def __init__(
        self,
        port: "SerialPort",
        handle: "Callable[..., None]",
        reject: "Callable[[int, int], None]",
        ready: "Callable[[int], bool]",
    ):
        self._port = port
        self._ready = ready
        self._handle = handle
        self._reject = reject
        self._table = crc.make_table()
        self._rx = bytearray(protocol.MAX_REQUEST_BYTES + protocol.OVERHEAD_BYTES)
        self._filled = 0
        self._need = 1
        self._stage = _RECEIVE
        self._quiet = 0
        self._rest: Callable[[], bool | None] | None = None
        self._bound_seal = self._seal  # bound once: a method looked up is an object made
        self._kind = 0
        self._sequence = 0
        self._length = 0
        self._banner = protocol.BANNER.encode()
        self._banner_rest = 0
        self._plain = 0
        self._tx = bytearray(_BUFFER_BYTES)
        self._tx_view = memoryview(self._tx)
        self._tx_end = 0
        self._tx_sent = 0
        self._bulk = False
        self._stalled_cycles = 0
        self.stalled = False  # the last bulk frame was given up

    def busy(self) -> bool:
        """Return True while an answer is still going out, or has a part to be made."""
        return self._tx_sent < self._tx_end or self._rest is not None

    def poll(self, pieces: int) -> None:
        """Do up to `pieces` pieces of work; called once a cycle."""
        if self._banner_rest:
            self._banner_rest -= 1
        if self._filled:
            self._quiet += 1
            if self._quiet > _IDLE_CYCLES and not self.busy():
                self._filled = 0
                self._stage = _RECEIVE
        while pieces > 0 and self._piece():
            pieces -= 1

    def _piece(self) -> bool:
        """Do what comes next; False when that is to wait. A request is taken only when the last answer is out."""
        if self._tx_sent < self._tx_end:
            return self._send()
        rest = self._rest
        if rest is not None:
            self._rest = None
            return not rest()
        stage = self._stage
        if stage == _RECEIVE:
            return self._receive()
        if stage == _LOOK:
            self._look()
        elif stage == _CHECK:
            self._check()
        else:
            return self._pass_on()
        return True

    def _send(self) -> bool:
        if self._bulk:
            return self._send_packets()
        for _ in range(_BYTES_A_PIECE):
            if not self._port.put(self._tx[self._tx_sent]):
                return False
            self._tx_sent += 1
            if self._tx_sent >= self._tx_end:
                return True
        return True

    def _send_packets(self) -> bool:
        """Send of a bulk frame what the host takes now, at most 2 kB a cycle; one that takes nothing gets no more."""
        end = self._tx_end
        sent = self._port.put_packets(self._tx_view, self._tx_sent, end)
        self._stalled_cycles = 0 if sent > self._tx_sent else self._stalled_cycles + 1
        if self._stalled_cycles > _STALL_CYCLES:
            self.stalled = True
            sent = end
        self._tx_sent = sent
        return False

    def _receive(self) -> bool:
        for _ in range(_BYTES_A_PIECE):
            byte = self._port.get()
            if byte < 0:
                return False
            self._quiet = 0
            if self._filled == 0:
                if byte != frames.SYNC_0:
                    self._take_text(byte)
                    return True
                self._plain = 0
                self._need = 2
            self._rx[self._filled] = byte
            self._filled += 1
            if self._filled >= self._need:
                self._look()
                return True
        return True

    def _take_text(self, byte: int) -> None:
        """Answer a person who pressed Enter in a terminal, at most once a second."""
        if byte in _NEWLINES:
            if not self._banner_rest and self._plain >= 0:
                self._banner_rest = _BANNER_CYCLES
                text = self._banner
                self._tx[: len(text)] = text
                self._tx_end = len(text)
                self._tx_sent = 0
                self._bulk = False
            self._plain = 0
        elif not 32 <= byte < 127:
            self._plain = -1000

    def _look(self) -> None:
        """Look at what has been collected: wait for more, skip to the next sync, or have the frame checked."""
        need = frames.need(self._table, self._rx, self._filled, len(self._rx))
        self._need = need
        if need == frames.NOT_A_FRAME:
            self._drop(1)
        elif need > self._filled:
            self._stage = _RECEIVE
        elif need > _SHORT_BYTES:
            self._stage = _CHECK
        else:
            self._check()

    def _check(self) -> None:
        rx = self._rx
        if crc.matches(self._table, rx, 0, self._need - protocol.CRC_BYTES):
            self._stage = _PASS_ON
        else:
            self._reject(rx[2], rx[3])
            self._drop(1)

    def _pass_on(self) -> bool:
        rx = self._rx
        if not self._ready(rx[2]):
            self._quiet = 0
            return False
        self._handle(rx[2], rx[3], rx, protocol.HEADER_BYTES, self._need - protocol.OVERHEAD_BYTES)
        self._drop(self._need)
        return True

    def _drop(self, count: int) -> None:
        """Forget `count` bytes and all up to the next possible sync."""
        filled = frames.skip(self._rx, self._filled, count)
        self._filled = filled
        self._stage = _LOOK if filled else _RECEIVE

    # Answers.

    def payload(self) -> bytearray:
        """Return the answer's buffer; its payload starts at `protocol.HEADER_BYTES`."""
        return self._tx

    def answer(self, kind: int, sequence: int, length: int) -> None:
        """Send what `payload` holds (`length` bytes) as a frame of type `kind`; made and sent in the next pieces."""
        self._kind = kind
        self._sequence = sequence
        self._length = length
        self._rest = self._bound_seal

    def _seal(self) -> None:
        self._tx_end = frames.seal(self._table, self._tx, self._kind, self._sequence, self._length)
        self._tx_sent = 0
        self._bulk = False

    def later(self, rest: "Callable[[], bool | None]") -> None:
        """Have `rest` make the next part of an answer, as a piece of its own, the cycle's last if it returns True."""
        self._rest = rest

    def answer_json(self, kind: int, sequence: int, content: dict) -> None:
        """Answer a request of type `kind` with `content`."""
        self.answer_bytes(kind | protocol.RESPONSE, sequence, json.dumps(content).encode())

    def answer_bytes(self, kind: int, sequence: int, data: bytes) -> None:
        """Send `data` as a frame of type `kind`."""
        self._tx[protocol.HEADER_BYTES : protocol.HEADER_BYTES + len(data)] = data
        self.answer(kind, sequence, len(data))

    def send_bulk(self, kind: int, sequence: int, length: int) -> None:
        """Send the frame in packets, in the pieces to come: output off. `stalled` says that the host took none of it.

        The CRC is MicroPython's own: five times as fast as ours, and its result is an object, which is no harm here.
        """
        view = self._tx_view
        end = protocol.HEADER_BYTES + length
        struct.pack_into(protocol.HEADER_FORMAT, view, 0, protocol.SYNC, kind, sequence, length, 0)
        struct.pack_into("<H", view, _CHECKED_BYTES, binascii.crc32(view[:_CHECKED_BYTES]) & 0xFFFF)
        struct.pack_into("<I", view, end, binascii.crc32(view[:end]))
        self._tx_end = end + protocol.CRC_BYTES
        self._tx_sent = self._stalled_cycles = 0
        self._bulk = True
        self.stalled = False
