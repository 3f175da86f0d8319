"""The serial port on a fake of MicroPython's `select` and `sys`: bytes go in and out, and nothing waits."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from ionto import serialport


class Wire:
    """stdin and stdout, and whether each of them is ready; `waits` are the times (ms) that were waited for it."""

    def __init__(self) -> None:
        self.arrived = bytearray()
        self.sent = bytearray()
        self.reads = True
        self.packets: list[int] = []
        self.waits: list[int] = []

    def readinto(self, buffer: bytearray, count: int) -> int:
        """As of MicroPython's streams."""
        assert count == 1
        buffer[0] = self.arrived.pop(0)
        return 1

    def write(self, data: bytes) -> int:
        """As of a stream."""
        self.sent += bytes(data)
        self.packets.append(len(data))
        return len(data)

    def poll(self) -> SimpleNamespace:
        """Return what select.poll does."""
        registered: list[int] = []

        def ipoll(timeout_ms: int) -> Iterator[int]:
            self.waits.append(timeout_ms)
            if self.arrived if registered == [1] else self.reads:
                yield 1

        return SimpleNamespace(register=lambda stream, events: registered.append(events), ipoll=ipoll)


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    stream = SimpleNamespace(buffer=made)
    with (
        patch.object(serialport, "select", SimpleNamespace(poll=made.poll, POLLIN=1, POLLOUT=4)),
        patch.object(serialport, "sys", SimpleNamespace(stdin=stream, stdout=stream)),
    ):
        yield made


def test_bytes_come_one_by_one_and_none_is_minus_one(wire: Wire) -> None:
    port = serialport.SerialPort()
    wire.arrived += b"\x00\xff"
    assert [port.get() for _ in range(4)] == [0, 255, -1, -1]
    assert set(wire.waits) == {0}


def test_a_byte_goes_when_the_host_reads(wire: Wire) -> None:
    port = serialport.SerialPort()
    assert port.put(7) is True
    wire.reads = False
    assert port.put(8) is False
    assert wire.sent == b"\x07"
    assert set(wire.waits) == {0}


@pytest.mark.hazard("HAZ-17", "HAZ-28")
def test_a_packet_goes_as_far_as_the_host_takes_it_now(wire: Wire) -> None:
    """Against a host that reads slowly: nothing is waited for, and what did not go is said."""
    port = serialport.SerialPort()
    frame = memoryview(bytes(range(100)))
    assert port.put_packets(frame, 0, 100) == 100
    wire.reads = False
    assert port.put_packets(frame, 10, 100) == 10
    assert wire.sent == bytes(range(100))
    assert wire.packets == [64, 36]
    assert set(wire.waits) == {0}


@pytest.mark.hazard("HAZ-17", "HAZ-28")
@pytest.mark.parametrize(("looks", "taken"), [(3, 100), (7, 100), (8, 64)])
def test_a_host_that_is_about_to_take_a_packet_is_looked_at_a_few_times_and_not_for_ever(
    wire: Wire, looks: int, taken: int
) -> None:
    """Against a log that goes out by a packet a cycle, and against a loop that waits for its host."""
    port = serialport.SerialPort()
    frame = memoryview(bytes(100))
    busy = [0]

    def write(data: bytes) -> int:
        busy[0] = looks
        return len(data)

    def ipoll(_timeout_ms: int) -> Iterator[int]:
        busy[0] -= 1
        if busy[0] < 0:
            yield 1

    out, writable = SimpleNamespace(write=write), SimpleNamespace(ipoll=ipoll)
    with patch.object(port, "_out", out), patch.object(port, "_writable", writable):
        assert port.put_packets(frame, 0, 100) == taken
