"""Frames over the serial port: collects requests, sends answers bit by bit, skips what is not a frame."""

from ionto import crc, frames, protocol
from ionto.compat import const, micropython

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ionto.serialport import SerialPort

_BUFFER_BYTES = const(1_056)
_IDLE_CYCLES = const(200)  # a frame that stops arriving is dropped after about 0.2 s
_BANNER_CYCLES = const(1_000)
_NEWLINES = b"\r\n"


class UsbLink:
    """The device end of the protocol; `handle(kind, sequence, buffer, start, length)` gets every good request.

    While a session runs, `poll` is given a budget of bytes a cycle and nothing here allocates or waits.
    """

    def __init__(self, port: "SerialPort", handle: "Callable[..., None]", reject: "Callable[[int, int], None]"):
        self._port = port
        self._handle = handle
        self._reject = reject
        self._table = crc.make_table()
        self._rx = bytearray(protocol.MAX_REQUEST_BYTES + protocol.OVERHEAD_BYTES)
        self._filled = 0
        self._need = 1
        self._quiet = 0
        self._banner = protocol.BANNER.encode()
        self._banner_rest = 0
        self._plain = 0
        self._tx = bytearray(_BUFFER_BYTES)
        self._tx_view = memoryview(self._tx)
        self._tx_end = 0
        self._tx_sent = 0

    @micropython.native
    def busy(self) -> bool:
        """Return True while an answer is still going out."""
        return self._tx_sent < self._tx_end

    @micropython.native
    def poll(self, budget: int) -> None:
        """Move up to `budget` bytes each way. A new request is taken only when the last answer is out."""
        self._send(budget)
        if self._banner_rest:
            self._banner_rest -= 1
        if self._filled:
            self._quiet += 1
            if self._quiet > _IDLE_CYCLES:
                self._filled = 0
            elif not self.busy():
                self._advance()
        for _ in range(budget):
            if self.busy():
                return
            byte = self._port.get()
            if byte < 0:
                return
            self._take(byte)

    @micropython.native
    def _send(self, budget: int) -> None:
        while budget and self._tx_sent < self._tx_end:
            if not self._port.put(self._tx[self._tx_sent]):
                return
            self._tx_sent += 1
            budget -= 1

    @micropython.native
    def _take(self, byte: int) -> None:
        self._quiet = 0
        if self._filled == 0 and byte != frames.SYNC_0:
            self._take_text(byte)
            return
        self._plain = 0
        if self._filled == 0:
            self._need = 2
        self._rx[self._filled] = byte
        self._filled += 1
        if self._filled >= self._need:
            self._advance()

    def _take_text(self, byte: int) -> None:
        """Answer a person who pressed Enter in a terminal, at most once a second."""
        if byte in _NEWLINES:
            if not self._banner_rest and self._plain >= 0:
                self._banner_rest = _BANNER_CYCLES
                text = self._banner
                self._tx[: len(text)] = text
                self._tx_end = len(text)
                self._tx_sent = 0
            self._plain = 0
        elif not 32 <= byte < 127:
            self._plain = -1000

    @micropython.native
    def _advance(self) -> None:
        """Look at what has been collected: wait, skip to the next sync, or hand a frame on."""
        rx = self._rx
        while self._filled and not self.busy():
            need = frames.need(self._table, rx, self._filled, len(rx))
            self._need = need
            if need > self._filled:
                return
            if need == frames.NOT_A_FRAME:
                self._filled = frames.skip(rx, self._filled, 1)
                continue
            if crc.matches(self._table, rx, 0, need - protocol.CRC_BYTES):
                length = need - protocol.OVERHEAD_BYTES
                self._handle(rx[2], rx[3], rx, protocol.HEADER_BYTES, length)
                self._filled = frames.skip(rx, self._filled, need)
            else:
                self._reject(rx[2], rx[3])
                self._filled = frames.skip(rx, self._filled, 1)

    # Answers.

    def payload(self) -> bytearray:
        """Return the answer's buffer; its payload starts at `protocol.HEADER_BYTES`."""
        return self._tx

    @micropython.native
    def answer(self, kind: int, sequence: int, length: int) -> None:
        """Send what `payload` holds (`length` bytes) as a frame of type `kind`; a few bytes every `poll`."""
        self._tx_end = self._finish(kind, sequence, length)
        self._tx_sent = 0

    def answer_bytes(self, kind: int, sequence: int, data: bytes) -> None:
        """Send `data` as a frame of type `kind`."""
        self._tx[protocol.HEADER_BYTES : protocol.HEADER_BYTES + len(data)] = data
        self.answer(kind, sequence, len(data))

    def send_now(self, kind: int, sequence: int, length: int) -> bool:
        """Send the frame at once, waiting for the host if need be: bulk, output off. False when it stalls."""
        end = self._finish(kind, sequence, length)
        return self._port.put_all(self._tx_view[:end])

    def _finish(self, kind: int, sequence: int, length: int) -> int:
        return frames.seal(self._table, self._tx, kind, sequence, length)
