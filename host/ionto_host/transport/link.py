"""Requests and answers over an open port: sequence numbers, repeats, refusals turned into exceptions."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import serial

from ionto import faults, protocol
from ionto_host.errors import IontoError, NoAnswerError, NoFirmwareError, ProtocolError
from ionto_host.patience import patient
from ionto_host.transport.frames import Decoder, Frame, encode
from ionto_host.transport.network import vanished

ANSWER_TIMEOUT_S = 1.0
TRIES = 3
READ_SLICE_S = 0.05
FIRST_SEQUENCE = 0x20  # no control character that a MicroPython prompt would act on
PROMPT_MARKS = (">>> ", "raw REPL; CTRL-B to exit", "MicroPython v")

Refusal = Callable[[dict[str, Any]], IontoError]


class Link:
    """One request at a time over `port`, a pyserial port. Not thread-safe.

    `refusal` makes the exception of an ERROR answer from its detail (`decode_error`).
    """

    def __init__(self, port: serial.Serial, name: str, refusal: Refusal) -> None:
        self.name = name
        self.decoder = Decoder()
        self._port = port
        self._refusal = refusal
        self._port.timeout = READ_SLICE_S
        self._sequence = FIRST_SEQUENCE

    def close(self) -> None:
        """Close the port; closing a port that has vanished is not an error."""
        try:
            self._port.close()
        except OSError:
            return

    def request(
        self, kind: int, payload: bytes = b"", *, timeout_s: float = ANSWER_TIMEOUT_S, tries: int = TRIES
    ) -> bytes:
        """Return the payload that answers the request `kind`.

        Sends at most `tries` times, waiting `timeout_s` (more with `patience`) each. Raises what
        `refusal` makes of an ERROR answer, `NoAnswerError` for none, `PortVanishedError` when the port goes.
        """
        sent: set[int] = set()
        for _ in range(tries):
            sent.add(self._send(kind, payload))
            for frame in self._frames(timeout_s):
                if frame.sequence not in sent or frame.kind not in (kind | protocol.RESPONSE, protocol.ERROR):
                    continue
                if _damaged_on_the_way(frame):
                    break
                return self._answer(frame, kind)
        raise self._no_answer(kind, tries)

    def stream(self, kind: int, payload: bytes, *, timeout_s: float = ANSWER_TIMEOUT_S) -> Iterator[bytes]:
        """Yield the payloads that answer `kind`, in order of arrival, until `timeout_s` passes without one.

        The caller leaves the iteration at its end mark; an unanswered stream ends without an error.
        """
        sequence = self._send(kind, payload)
        for frame in self._frames(timeout_s, restart=True):
            if frame.sequence == sequence and frame.kind in (kind | protocol.RESPONSE, protocol.ERROR):
                yield self._answer(frame, kind)

    def at_prompt(self, timeout_s: float = 0.5) -> bool:
        """Return True when a MicroPython prompt answers; asks with Enter and Ctrl-B, which stop nothing."""
        if not _shows_prompt(self.decoder.text):
            try:
                self._port.write(b"\r\x02")
            except (OSError, serial.SerialException) as error:
                raise vanished(self.name, error) from error
            deadline = time.monotonic() + patient(timeout_s)
            while time.monotonic() < deadline and not _shows_prompt(self.decoder.text):
                self.decoder.feed(self._read())
        return _shows_prompt(self.decoder.text)

    def _send(self, kind: int, payload: bytes) -> int:
        sequence = self._sequence
        self._sequence = (sequence + 1) & 0xFF
        try:
            self._port.write(encode(kind, sequence, payload))
        except (OSError, serial.SerialException) as error:
            raise vanished(self.name, error) from error
        return sequence

    def _frames(self, timeout_s: float, restart: bool = False) -> Iterator[Frame]:
        deadline = time.monotonic() + patient(timeout_s)
        while time.monotonic() < deadline:
            for frame in self.decoder.feed(self._read()):
                if restart:
                    deadline = time.monotonic() + patient(timeout_s)
                yield frame

    def _read(self) -> bytes:
        try:
            return self._port.read(max(1, self._port.in_waiting))
        except (OSError, TypeError, serial.SerialException) as error:
            raise vanished(self.name, error) from error

    def _answer(self, frame: Frame, kind: int) -> bytes:
        if frame.kind != protocol.ERROR:
            return frame.payload
        raise self._refusal(decode_error(frame.payload, kind))

    def _no_answer(self, kind: int, tries: int) -> NoAnswerError | NoFirmwareError:
        text = self.decoder.text
        if _shows_prompt(text):
            return no_firmware(self.name)
        return NoAnswerError(
            f"no answer from {self.name} to request 0x{kind:02x} in {tries} tries",
            port=self.name,
            damaged_frames=self.decoder.damaged,
            text=text[-400:],
        )


def no_firmware(name: str) -> NoFirmwareError:
    """Return the error for the port `name` where MicroPython answers instead of the application."""
    return NoFirmwareError(f"{name} is at a MicroPython prompt, not the IontoPico application")


def _shows_prompt(text: str) -> bool:
    return any(mark in text for mark in PROMPT_MARKS)


def _damaged_on_the_way(frame: Frame) -> bool:
    """Return True when the device says that the request reached it damaged, so that it was not acted on."""
    return frame.kind == protocol.ERROR and frame.payload[:2] == faults.BAD_FRAME.to_bytes(2, "little")


def decode_error(payload: bytes, kind: int) -> dict[str, Any]:
    """Return an ERROR payload as its detail: always `code`, and what the device said beyond it."""
    size = struct.calcsize(protocol.ERROR_FORMAT)
    if len(payload) == size - 1 or payload[size - 1 : size] in (b"{", b"["):  # before protocol 7, without the state
        payload = payload[: size - 1] + b"\xff" + payload[size - 1 :]
    if len(payload) < size:
        raise ProtocolError(f"the ERROR answer to request 0x{kind:02x} has only {len(payload)} bytes")
    code, request, state = struct.unpack_from(protocol.ERROR_FORMAT, payload)
    detail = {"code": code, "request": request, "state": protocol.STATES[state] if state < len(protocol.STATES) else ""}
    if len(payload) > size:
        extra = decode_json(payload[size:], "the detail of an ERROR answer")
        if isinstance(extra, dict):
            detail = {**extra, **detail}
    return detail if code else {**detail, "code": faults.BAD_PAYLOAD}


def decode_json(payload: bytes, what: str) -> Any:
    """Return `payload` read as JSON; `ProtocolError` naming `what` when it is not."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"{what} is not JSON: {payload[:60]!r}") from error
