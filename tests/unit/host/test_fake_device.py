"""The fake device of these tests does as the real one does, where a test counts on it."""

from __future__ import annotations

import hashlib

from fake_device import BENCH_DOSE, BOARD_ID, FakeDevice, make_log, on_pty, on_socket

from ionto_host.device.client import Device


def test_over_a_pty_and_over_a_socket() -> None:
    """The same device answers on both transports, bulk data included."""
    for served in (on_pty, on_socket):
        fake = FakeDevice()
        fake.logs[1] = make_log(1_400)
        with served(fake) as name, Device.open(name) as device:
            assert device.identity.board_id == BOARD_ID
            assert device.read_log(device.list_logs()[0]) == fake.logs[1]


def test_push_needs_the_bytes_it_hashes() -> None:
    """The fake's digest is that of the bytes, as the real device's."""
    with on_pty(FakeDevice()) as name, Device.open(name) as device:
        assert device.push_dose(BENCH_DOSE) == hashlib.sha256(BENCH_DOSE).hexdigest()
