"""A device for the tests of the host tool: the real frame layout and limits, the behaviour in a few lines.

It listens on a PTY (or on a TCP socket, for socket:// URLs) in a thread and can be told to misbehave.
"""

from __future__ import annotations

import json
import os
import pty
import select
import socket
import struct
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from ionto import dose, faults, limits, protocol
from ionto import sessionlog_format as layout
from ionto.version import FIRMWARE_VERSION, LOG_FORMAT_VERSION, PROTOCOL_VERSION
from ionto_host.transport.frames import Decoder, encode
from verification.benchmarks import session_log

STORE = "0a0b0c0d"
BOARD_ID = "0123456789abcdef"
BENCH_DOSE = dose.canonical(
    {
        "schema": 1,
        "name": "Bench",
        "drug": "none",
        "site": "resistor",
        "current_ua": 1_000,
        "dose_uc": 60_000,
        "area_mm2": 1_000,
        "polarity": 1,
        "ramp_up_ms": 2_000,
        "ramp_down_ms": 2_000,
        "waveform": "dc",
        "pulse_on_ms": 0,
        "pulse_off_ms": 0,
        "pulse_edge_ms": 0,
        "reversal": "none",
        "reversal_interval_ms": 0,
        "max_extension_pct": 50,
        "starts": 1,
        "max_density_ua_cm2": 500,
    }
)


def make_log(
    samples: int = 120,
    *,
    log_id: int = 1,
    charge_uc: int = 60_000,
    events: bool = True,
    end: dict[str, object] | None = None,
) -> bytes:
    """Return a sound log with `samples` samples over a minute, four `events` and an `end` record."""
    header = {"dose": BENCH_DOSE.decode(), "board_id": BOARD_ID, "variant": "A", "log": log_id, "store": STORE}
    packed = [_sample(index, samples, charge_uc) for index in range(samples)]
    blocks = [(layout.SAMPLES, block) for block in session_log.split(packed, layout.SAMPLES_PER_RECORD)]
    changes = [
        (0, protocol.RAMP_UP),
        (2_000, protocol.HOLD),
        (60_000, protocol.RAMP_DOWN),
        (62_000, protocol.DONE),
    ]
    stored = [struct.pack(layout.EVENT_FORMAT, t, layout.STATE_CHANGED, state, 0, 0) for t, state in changes]
    told = [(layout.EVENTS, b"".join(stored))] if events else []
    end = end or {"outcome": protocol.COMPLETE, "charge_uc": charge_uc, "t_ms": 62_000}
    ends = [(layout.ARM, json.dumps(header).encode()), (layout.END, json.dumps(end).encode())]
    return session_log.log([ends[0], *blocks, *told, ends[1]])


def _sample(index: int, count: int, charge_uc: int) -> bytes:
    t_ms = 62_000 * (index + 1) // count
    ramp = max(0, min(t_ms, 62_000 - t_ms, 2_000))
    current = 1_000 * ramp // 2_000
    charge = charge_uc * (index + 1) // count
    least, most = max(0, current - 2), current + 2
    values = (
        t_ms,
        charge,
        current,
        current,
        least,
        most,
        current,
        current * 4,
        current * 4,
        62_000 // count,
        protocol.HOLD,
        0,
    )
    return struct.pack(layout.SAMPLE_FORMAT, *values)


class FakeDevice:
    """The device's side of the protocol. Attributes are its state; the misbehaviour switches are named so."""

    def __init__(self) -> None:
        self.limits = limits.variant_a()
        self.state = protocol.IDLE
        self.outcome = protocol.OUTCOME_NONE
        self.fault = faults.NONE
        self.flags = protocol.FLAG_VBUS | protocol.FLAG_BENCH_STRAP
        self.dose = b""
        self.logs: dict[int, bytes] = {1: make_log()}
        self.released: set[int] = set()  # logs that a host has told to be verified
        self.store = STORE
        self.starts = 0
        self.charge_uc = 0
        self.reads_too_much_ppm: int | None = None  # the current is that of the dose and so much; None: 1 mA
        self.leak_ua = 0  # flows while the output is off
        self.leak_ends = False  # with the first look at it
        self.charge_step_uc = 20_000
        self.answers_hello_in_session = False  # as the firmware of today does
        self.loses_power_at_uc: int | None = None  # the charge at which a session is cut short
        self.clock = 0
        self.requests: list[int] = []
        self.mute: list[int] = []  # kinds whose next answer is lost, one entry each
        self.noise = b""  # sent before every answer
        self.damage_answers = 0  # so many answers get a flipped bit
        self.lose_log_frames: list[int] = []  # indices of log data frames to lose, once
        self.sent_log_frames = 0
        self.ends_in = protocol.DONE
        self.hangs_up = False
        self.hand_after = 0  # refusals for want of a hand before there is one
        self.settings = {"max_current_ua": 4_000, "max_dose_uc": 4_800_000, "max_density_ua_cm2": 500, "changes": 3}
        self.calibration: dict[str, object] = {"state": "none"}
        self.health = {
            "flash_bytes": 1_441_792,
            "flash_free_bytes": 1_000_000,
            "heap_free_bytes": 99_000,
            "sensor_ok": True,
        }
        self.reset_cause = "power_on"
        self.cut_short: list[list[int]] = []
        self.target_ua = 1_000
        self.felt: list[int] = []
        self._decoder = Decoder()

    def receive(self, data: bytes) -> bytes:
        """Return what the device sends when `data` comes."""
        out = b""
        for frame in self._decoder.feed(data):
            self.requests.append(frame.kind)
            answers = self._answer(frame.kind, frame.payload)
            if frame.kind in self.mute:
                self.mute.remove(frame.kind)
                continue
            for kind, payload in answers:
                out += self.noise + self._damaged(encode(kind, frame.sequence, payload))
        return out

    def _damaged(self, data: bytes) -> bytes:
        if not self.damage_answers:
            return data
        self.damage_answers -= 1
        return data[:-1] + bytes([data[-1] ^ 1])

    def _answer(self, kind: int, payload: bytes) -> list[tuple[int, bytes]]:
        handler = getattr(self, f"_on_{kind:02x}", None)
        if handler is None:
            return [self._error(faults.UNKNOWN_COMMAND, kind)]
        try:
            answer = handler(payload)
        except faults.Refusal as refusal:
            return [self._error(refusal.code, kind, json.dumps(refusal.as_dict()).encode())]
        if isinstance(answer, list):
            return [(kind | protocol.RESPONSE, item) for item in answer]
        return [(kind | protocol.RESPONSE, answer)]

    @staticmethod
    def _error(code: int, kind: int, detail: bytes = b"") -> tuple[int, bytes]:
        return protocol.ERROR, struct.pack(protocol.ERROR_FORMAT, code, kind, protocol.IDLE) + detail

    def _on_01(self, payload: bytes) -> bytes:
        if payload != bytes([PROTOCOL_VERSION]):
            raise faults.Refusal(faults.WRONG_PROTOCOL)
        if self.flags & protocol.FLAG_OUTPUT_ON and not self.answers_hello_in_session:
            raise faults.Refusal(faults.OUTPUT_ON)
        body = {
            "protocol": PROTOCOL_VERSION,
            "firmware": FIRMWARE_VERSION,
            "log_format": LOG_FORMAT_VERSION,
            "board_id": BOARD_ID,
            "variant": self.limits.variant,
            "micropython": "1.28.0",
            "mpy": 0x1306,
            "reset_cause": self.reset_cause,
            "calibration": self.calibration,
            "limits": self.limits.public(),
            "settings": self.settings,
            "clock_set": bool(self.clock),
            "store": self.store,
            "bench_strap": True,
            "unplanned_resets": 0,
            "cut_short": self.cut_short,
            "from_a_newer_firmware": 1,
        }
        return json.dumps(body).encode()

    def _on_02(self, payload: bytes) -> bytes:
        if self.state == protocol.HOLD:
            self.charge_uc += self.charge_step_uc
            if self.charge_uc == self.loses_power_at_uc:
                self._lose_power()
            elif self.charge_uc >= 60_000:
                self._end()
        values = {name: 0 for name, _ in protocol.STATUS_FIELDS}
        values |= {"state": self.state, "outcome": self.outcome, "fault": self.fault, "flags": self.flags}
        values |= {"charge_uc": self.charge_uc, "dose_uc": 60_000, "session_id": 1}
        values |= {"target_ua": self.target_ua, "least_ua": 100}
        values |= {"comfort": self.felt[-1] if self.felt else 0, "comfort_count": len(self.felt)}
        values["current_ua"] = self._flowing_ua() if self.flags & protocol.FLAG_OUTPUT_ON else self.leak_ua
        self.leak_ua = 0 if self.leak_ends else self.leak_ua
        return struct.pack(protocol.STATUS_FORMAT, *values.values())

    def _flowing_ua(self) -> int:
        if self.reads_too_much_ppm is None:
            return 1_000
        return round(json.loads(self.dose)["current_ua"] * (1 + self.reads_too_much_ppm / 1e6))

    def _end(self) -> None:
        self.state = self.ends_in
        self.flags &= ~protocol.FLAG_OUTPUT_ON
        self.outcome = protocol.COMPLETE if self.ends_in == protocol.DONE else protocol.FAULTED
        self.fault = faults.NONE if self.ends_in == protocol.DONE else faults.OPEN_CIRCUIT

    def _lose_power(self) -> None:
        """End the session as a power cut does, and come up again."""
        self.state, self.outcome, self.charge_uc = protocol.IDLE, protocol.OUTCOME_NONE, 0
        self.flags &= ~protocol.FLAG_OUTPUT_ON
        self.cut_short = [[1, -1]]

    def _on_03(self, payload: bytes) -> bytes:
        parsed = dose.parse(payload, self.limits)
        self.dose = payload
        return json.dumps({"digest": parsed.digest()}).encode()

    def _on_04(self, payload: bytes) -> bytes:
        if not self.dose:
            raise faults.Refusal(faults.NO_DOSE)
        return self.dose

    def _on_05(self, payload: bytes) -> bytes:
        if self.state not in (protocol.IDLE, protocol.DONE):
            raise faults.Refusal(faults.WRONG_STATE)
        if not self.dose:
            raise faults.Refusal(faults.NO_DOSE)
        self._need_hand(True)
        self.starts += 1
        self.state = protocol.HOLD
        self.flags |= protocol.FLAG_OUTPUT_ON
        return b""

    def _on_06(self, payload: bytes) -> bytes:
        self.state = protocol.PAUSED
        return b""

    def _on_07(self, payload: bytes) -> bytes:
        self.state = protocol.HOLD
        return b""

    def _on_08(self, payload: bytes) -> bytes:
        self.state, self.outcome = protocol.DONE, protocol.ABORTED
        self.flags &= ~protocol.FLAG_OUTPUT_ON
        return b""

    def _on_09(self, payload: bytes) -> bytes:
        if self.fault == faults.SENSOR_MISSING:
            raise faults.Refusal(faults.CAUSE_REMAINS)
        self.state, self.fault = protocol.IDLE, faults.NONE
        return b""

    def _on_0a(self, payload: bytes) -> bytes:
        if self.flags & protocol.FLAG_OUTPUT_ON:
            raise faults.Refusal(faults.OUTPUT_ON)
        (self.clock,) = struct.unpack(protocol.CLOCK_FORMAT, payload)
        return b""

    def _on_0b(self, payload: bytes) -> bytes:
        good = self.fault == faults.NONE
        return json.dumps(
            {"results": [["offset", good, 3, "uA", -20, 20], ["sensor", True, 0, "", None, None]]}
        ).encode()

    def _on_0c(self, payload: bytes) -> bytes:
        if self.flags & protocol.FLAG_OUTPUT_ON:
            raise faults.Refusal(faults.OUTPUT_ON)
        self._need_hand(True)
        return b""

    def _on_0d(self, payload: bytes) -> bytes:
        wanted = json.loads(payload)
        self._need_hand(any(value > self.settings[name] for name, value in wanted.items()))
        self.settings |= wanted
        return json.dumps(self.settings).encode()

    def _on_0e(self, payload: bytes) -> bytes:
        if payload:
            self._need_hand(True)
            wanted = json.loads(payload)
            self.calibration = {**wanted, "state": "kept" if wanted else "none"}
        return json.dumps(self.calibration).encode()

    def _on_0f(self, payload: bytes) -> bytes:
        return json.dumps(self.health | {"time_unix_s": self.clock, "logs": len(self.logs)}).encode()

    def _need_hand(self, needed: bool) -> None:
        """Refuse what is `needed` a hand for, until there is one: after so many refusals."""
        if needed and self.hand_after:
            self.hand_after -= 1
            raise faults.Refusal(faults.NEEDS_HAND)

    def _on_10(self, payload: bytes) -> bytes:
        (first,) = struct.unpack(protocol.LOG_LIST_FORMAT, payload)
        rows = [
            [log_id, len(data), int(log_id in self.released)]
            for log_id, data in sorted(self.logs.items())
            if log_id >= first
        ]
        return json.dumps({"logs": rows[:3], "more": len(rows) > 3}).encode()

    def _on_11(self, payload: bytes) -> list[bytes]:
        log_id, offset, length = struct.unpack(protocol.LOG_READ_FORMAT, payload)
        if log_id not in self.logs:
            raise faults.Refusal(faults.NO_SUCH_LOG, "log", log_id)
        data = self.logs[log_id][offset : offset + length]
        frames = []
        for start in range(0, len(data), protocol.LOG_CHUNK_BYTES):
            chunk = data[start : start + protocol.LOG_CHUNK_BYTES]
            self.sent_log_frames += 1
            if self.sent_log_frames in self.lose_log_frames:
                continue
            frames.append(struct.pack(protocol.LOG_DATA_FORMAT, offset + start) + chunk)
        return [*frames, struct.pack(protocol.LOG_DATA_FORMAT, offset + len(data))]

    def _on_13(self, payload: bytes) -> bytes:
        log_id, chain = struct.unpack(protocol.LOG_VERIFIED_FORMAT, payload)
        if log_id not in self.logs or session_log.chain_of(self.logs[log_id]) != chain:
            raise faults.Refusal(faults.OTHER_LOG)
        self.released.add(log_id)
        return b""

    def _on_14(self, payload: bytes) -> bytes:
        kind, to_ua = struct.unpack(protocol.COMFORT_FORMAT, payload)
        if self.state != protocol.HOLD:
            raise faults.Refusal(faults.WRONG_STATE)
        if to_ua and not 100 <= to_ua < self.target_ua:
            raise faults.Refusal(faults.OUT_OF_RANGE)
        self.felt.append(kind)
        self.target_ua = to_ua or self.target_ua
        if kind == protocol.PAIN:
            self.state, self.outcome = protocol.DONE, protocol.PAIN_ENDED
            self.flags &= ~protocol.FLAG_OUTPUT_ON
        return b""

    def _on_12(self, payload: bytes) -> bytes:
        (log_id,) = struct.unpack(protocol.LOG_DELETE_FORMAT, payload)
        if self.logs.pop(log_id, None) is None:
            raise faults.Refusal(faults.NO_SUCH_LOG, "log", log_id)
        return b""


@contextmanager
def on_pty(fake: FakeDevice) -> Iterator[str]:
    """Serve `fake` on a pseudo-terminal; yields its path."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            if select.select([master], [], [], 0.05)[0]:
                data = fake.receive(os.read(master, 4096))
                while data:
                    data = data[os.write(master, data) :]

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        stop.set()
        thread.join(5)
        os.close(slave)
        os.close(master)


@contextmanager
def on_socket(fake: FakeDevice) -> Iterator[str]:
    """Serve `fake` on a TCP port of this machine; yields its pyserial URL. One client."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        client, _ = server.accept()
        with client:
            while (data := client.recv(4096)) and not fake.hangs_up:
                client.sendall(fake.receive(data))

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"socket://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.close()
