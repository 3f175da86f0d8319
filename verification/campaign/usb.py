"""What a computer on the USB port may do wrong: garbage, a flood of requests, answers that nobody reads."""

from __future__ import annotations

import os
import random
import struct
import termios
import time
import tty
from collections.abc import Callable, Iterator

from ionto import protocol
from ionto_host.transport.frames import encode
from verification.campaign.rig import Rig

SPEED = 2.0  # of virtual time meanwhile, so that the bytes meet the state they are meant for
_SECONDS = 0.3
_BURST = 64
_NOTHING_ACTS = ("SELF_TEST", "ARMED", "RAMP_UP", "HOLD")  # and for 0.6 s more
_ACTING = 40  # requests: what the device takes in that time
_STALLED = 100
_QUIET_S = 0.15


def misbehave(rig: Rig, name: str, state: str) -> None:
    """Do what `name` says to a device in `state`, for 0.6 s of virtual time."""
    rig.let_go()
    rig.pico.set_speed(SPEED)
    descriptor = os.open(rig.pico.device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        tty.setraw(descriptor, termios.TCSANOW)
        reads = name != "stall"
        _send(descriptor, _SOURCES[name](random.Random(4), state), reads)
        if reads:
            _read_off(descriptor)
    finally:
        os.close(descriptor)
    rig.pico.set_speed("max")


def _send(descriptor: int, pieces: Iterator[bytes], reads: bool) -> None:
    """Write `pieces`, reading what comes back if asked to."""
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        try:
            os.write(descriptor, next(pieces, b""))
            if reads:
                os.read(descriptor, 4096)
        except BlockingIOError:
            time.sleep(0.002)


def _read_off(descriptor: int) -> None:
    """Read until the answers to all that was sent are in."""
    quiet_at = time.monotonic() + _QUIET_S
    while time.monotonic() < quiet_at:
        try:
            if os.read(descriptor, 4096):
                quiet_at = time.monotonic() + _QUIET_S
        except BlockingIOError:
            time.sleep(0.01)


def _garbage(chance: random.Random, state: str) -> Iterator[bytes]:
    """Yield random bytes, control characters a prompt would obey, frames with a wrong byte, and halves of frames."""
    frame = encode(protocol.START, 1, b"")
    while True:
        yield chance.randbytes(_BURST)
        yield b"\x03\x03\x01\x04\r\n"
        at = chance.randrange(len(frame))
        yield frame[:at] + bytes([frame[at] ^ 1 << chance.randrange(8)]) + frame[at + 1 :]
        yield frame[: chance.randrange(1, len(frame))]
        yield struct.pack("<2sBBHH", protocol.SYNC, 0x03, 1, 0xFFFF, 0)


def _flood(chance: random.Random, state: str) -> Iterator[bytes]:
    """Yield requests without a pause: questions, doses out of range and, as long as it is refused, what would act."""
    questions = (protocol.STATUS, protocol.HELLO, protocol.LOG_LIST, protocol.DOSE_READ, protocol.DOSE_PUSH)
    acts = (protocol.START, protocol.RESUME, protocol.CLEAR_FAULT, protocol.LOG_DELETE, protocol.MAINTENANCE)
    payloads = {protocol.LOG_LIST: bytes(4), protocol.LOG_DELETE: b"\x01\0\0\0", protocol.HELLO: b"\x01"}
    payloads[protocol.DOSE_PUSH] = b'{"current_ua":99999}'
    acting = _ACTING if state in _NOTHING_ACTS else 0
    while True:
        kind = chance.choice(acts if acting > 0 else questions)
        acting -= 1
        yield encode(kind, chance.randrange(256), payloads.get(kind, b""))


def _stall(chance: random.Random, state: str) -> Iterator[bytes]:
    """Yield requests with long answers, as many as cable and drivers hold; then nothing."""
    for _ in range(_STALLED):
        yield encode(chance.choice((protocol.STATUS, protocol.HELLO, protocol.DOSE_READ)), 7, b"\x02")


_SOURCES: dict[str, Callable[[random.Random, str], Iterator[bytes]]] = {
    "garbage": _garbage,
    "flood": _flood,
    "stall": _stall,
}
