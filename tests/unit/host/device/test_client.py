"""The device client: typed answers, repeats where a repeat is safe, and errors that say what to do."""

from __future__ import annotations

import dataclasses
import json
import os
import struct
import time
from collections.abc import Iterator

import pytest
import serial
from fake_device import BENCH_DOSE, BOARD_ID, FakeDevice, make_log, on_pty, on_socket

from ionto import dose, faults, protocol
from ionto_host import errors
from ionto_host.device import messages
from ionto_host.device.answers import Hello, LogEntry, Status
from ionto_host.device.client import Device
from ionto_host.monitor import watching as monitor
from ionto_host.tables import fault_names
from ionto_host.transport import port_holders, ports
from ionto_host.transport.link import Link, decode_error


@pytest.fixture
def device(fake: FakeDevice) -> Iterator[Device]:
    """The client of `fake`."""
    with on_pty(fake) as port, Device.open(port) as opened:
        yield opened


def test_status_fields_are_those_of_the_protocol() -> None:
    """The typed record follows the protocol's table."""
    assert [item.name for item in dataclasses.fields(Status)] == [name for name, _ in protocol.STATUS_FIELDS]


def test_status_in_words(fake: FakeDevice, device: Device) -> None:
    """Numbers come with their names."""
    status = device.status()
    assert (status.state_name, status.outcome_name, status.fault_name) == ("IDLE", "none", "NONE")
    assert status.flag_names == ["vbus", "bench_strap"]
    assert not status.running
    assert dataclasses.replace(status, state=99).state_name == "unknown (99)"


def test_hello_leaves_out_what_it_does_not_know(device: Device) -> None:
    """A newer firmware may say more."""
    assert device.identity.board_id == BOARD_ID
    assert device.identity.limits["max_current_ua"] == 4_000


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b"\xff", b"[" * 5_000])
def test_hello_that_makes_no_sense(payload: bytes) -> None:
    """A malformed answer is a protocol error."""
    with pytest.raises(errors.ProtocolError):
        Hello.decode(payload)


@pytest.mark.hazard("HAZ-28")
def test_another_protocol_version(fake: FakeDevice) -> None:
    """Both ways of being incompatible are told with the next step."""
    for answer in (b'{"protocol": 9}', None):
        fake._on_01 = _hello_of_version_9 if answer else _refuse_version
        with on_pty(fake) as port, pytest.raises(errors.VersionMismatchError) as caught:
            Device.open(port)
        assert "ionto flash" in caught.value.action
        assert caught.value.exit_code == 4


def _hello_of_version_9(payload: bytes) -> bytes:
    body = dict.fromkeys((item.name for item in dataclasses.fields(Hello)), 0)
    return json.dumps({**body, "protocol": 9, "firmware": "9.0"}).encode()


def _refuse_version(payload: bytes) -> bytes:
    raise faults.Refusal(faults.WRONG_PROTOCOL)


@pytest.mark.hazard("HAZ-25")
def test_push_reads_back(fake: FakeDevice, device: Device) -> None:
    """A device that holds something else is found out."""
    device.push_dose(BENCH_DOSE)
    assert device.read_dose() == BENCH_DOSE
    fake._on_04 = lambda payload: b"{}"
    with pytest.raises(errors.IntegrityError):
        device.push_dose(BENCH_DOSE)


@pytest.mark.hazard("HAZ-01", "HAZ-33")
def test_refusal_has_words(device: Device) -> None:
    """A refusal carries code, field, value and range, and an exit code of its own."""
    fields = {**json.loads(BENCH_DOSE), "current_ua": 5_000}
    with pytest.raises(errors.RefusedError) as caught:
        device.push_dose(dose.canonical(fields))
    assert caught.value.details["name"] == "OUT_OF_RANGE"
    assert "current_ua is 5 mA, allowed 0.1 mA to 4 mA" in caught.value.message


def test_a_lost_answer_is_asked_for_again(fake: FakeDevice, device: Device) -> None:
    """Idempotent requests are repeated."""
    fake.mute = [protocol.STATUS, protocol.STATUS]
    assert device.status().state == protocol.IDLE
    assert fake.mute == []


@pytest.mark.hazard("HAZ-20")
def test_a_lost_start_is_not_repeated_blindly(fake: FakeDevice, device: Device) -> None:
    """When the answer to START is lost, the status tells that it has acted."""
    device.push_dose(BENCH_DOSE)
    fake.mute = [protocol.START]
    device.start()
    assert fake.starts == 1


@pytest.mark.hazard("HAZ-28")
def test_noise_and_damage_on_the_line(fake: FakeDevice, device: Device) -> None:
    """Text, garbage and damaged frames between answers do no harm."""
    fake.noise = b"MPY: soft reboot\r\n\xa5\xc3\xa5garbage"
    fake.damage_answers = 2
    assert device.status().state == protocol.IDLE
    assert device.link.decoder.damaged >= 2


def test_silence(fake: FakeDevice, device: Device) -> None:
    """No answer is an I/O error after three tries."""
    fake.mute = [protocol.STATUS] * 3
    with pytest.raises(errors.NoAnswerError) as caught:
        device.status()
    assert caught.value.exit_code == 6


def test_a_prompt_is_recognised(fake: FakeDevice) -> None:
    """A board without the application is told from a dead one."""
    fake.noise = b"\r\nMicroPython v1.28.0 on 2026-04-06\r\n>>> "
    fake.damage_answers = 10
    with on_pty(fake) as port, pytest.raises(errors.NoFirmwareError) as caught:
        Device.open(port)
    assert "ionto flash" in caught.value.action


def test_a_session_in_progress_can_be_watched(fake: FakeDevice) -> None:
    """HELLO is refused while current flows; the client opens all the same."""
    fake.state, fake.flags = protocol.HOLD, protocol.FLAG_OUTPUT_ON
    with on_pty(fake) as port, Device.open(port) as device:
        assert device.status().running
        with pytest.raises(errors.RefusedError):
            device.enter_maintenance()


def test_the_port_vanishes(fake: FakeDevice) -> None:
    """Pulling the plug is an error of its own."""
    with on_socket(fake) as url:
        device = Device.open(url)
        fake.hangs_up = True
        with pytest.raises(errors.PortVanishedError):
            device.status()
        device.close()


def test_log_frames_lost_on_the_wire(fake: FakeDevice, device: Device) -> None:
    """A gap is asked for again from its first byte; the log arrives whole."""
    fake.logs[1] = make_log(1_400)
    fake.lose_log_frames = [2, 5, 28, 29]
    fake.damage_answers = 0
    pieces: list[bytes] = []
    entry = device.list_logs()[0]
    seen: list[int] = []
    data = device.read_log(entry, 0, pieces.append, lambda done, total: seen.append(done))
    assert data == fake.logs[1] == b"".join(pieces)
    assert seen == sorted(seen) and seen[-1] == entry.size_bytes


def test_a_log_that_stops_coming(fake: FakeDevice, device: Device) -> None:
    """A device that promises more than it sends is given up on."""
    with pytest.raises(errors.NoAnswerError, match="stops coming"):
        device.read_log(LogEntry(1, len(fake.logs[1]) + 1))


def test_log_list_in_pages(fake: FakeDevice, device: Device) -> None:
    """More logs than fit in one answer are all listed."""
    fake.logs = {number: b"x" * number for number in range(1, 9)}
    assert [entry.id for entry in device.list_logs()] == list(range(1, 9))
    device.delete_log(8)
    assert len(device.list_logs()) == 7
    fake.mute = [protocol.LOG_DELETE]
    device.delete_log(7)
    with pytest.raises(errors.RefusedError, match="no log of this id"):
        device.delete_log(7)


def test_self_test_and_clock(fake: FakeDevice, device: Device) -> None:
    """Lines of the self-test come typed; the clock is what was sent."""
    assert [check.ok for check in device.self_test()] == [True, True]
    assert device.set_clock(1_800_000_000) == fake.clock == 1_800_000_000
    assert abs(device.set_clock() - time.time()) < 5


@pytest.mark.hazard("HAZ-24")
def test_watching_a_session(fake: FakeDevice) -> None:
    """The statuses end with the end of the session, or with the time given."""
    with on_pty(fake) as port:
        with Device.open(port) as device:
            device.push_dose(BENCH_DOSE)
            device.start()
        states = [look.state for look in monitor.watch(port, interval_s=0) if isinstance(look, Status)]
        assert states[-1] == protocol.DONE and len(states) == 3
        fake.state, fake.charge_step_uc, fake.charge_uc = protocol.HOLD, 0, 0
        with pytest.raises(errors.MonitorTimeoutError):
            list(monitor.watch(port, interval_s=0.01, timeout_s=0.05))


@pytest.mark.hazard("HAZ-33")
def test_every_code_has_words() -> None:
    """No code of the firmware is without text and next action, and none is left over."""
    assert set(messages.MESSAGES) == set(fault_names())
    for code, message in messages.MESSAGES.items():
        assert message.text[0].islower() or message.text.startswith("STOP")
        assert bool(message.action) == (code != faults.NONE)
        assert message.action == "" or message.action.endswith(".")
    assert "ionto flash" in messages.message_for(9_999).action


@pytest.mark.parametrize("code", [code for code in fault_names() if code])
def test_every_code_becomes_the_right_error(code: int) -> None:
    """Faults and refusals have different exit codes."""
    error = messages.error_for({"code": code})
    assert error.exit_code == (5 if faults.is_fault(code) else 4)


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x01\x00\x05{", b"\x01\x00\x05[]", b"\x00\x00\x05"])
def test_error_frames_of_any_shape(payload: bytes) -> None:
    """A malformed ERROR answer is a protocol error or still tells its code."""
    try:
        assert decode_error(payload, 5)["code"] > 0
    except errors.ProtocolError:
        assert len(payload) < 3 or payload.endswith(b"{")


def test_opening_a_port_that_is_held(fake: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port has one user at a time; the error tells who, and a look that ends soon is waited for."""
    with on_pty(fake) as port, Device.open(port) as holder, monkeypatch.context() as patched:
        patched.setattr(ports, "BUSY_WAIT_S", 0.1)
        with pytest.raises(errors.PortBusyError, match="another program") as caught:
            Device.open(port)
        assert "other program" in caught.value.action
        patched.setattr(port_holders, "holders", lambda port: [port_holders.Holder(7, "ionto calibrate")])
        with pytest.raises(errors.PortBusyError, match=r"by ionto calibrate \(pid 7\)") as caught:
            Device.open(port)
        assert "`kill 7`" in caught.value.action
        patched.setattr(ports, "BUSY_WAIT_S", 30.0)
        patched.setattr(ports.time, "sleep", lambda seconds: holder.close())
        Device.open(port).close()


def test_opening_what_is_not_there() -> None:
    """Each way of not finding a device is told apart."""
    with pytest.raises(errors.NoDeviceError, match="no port"):
        ports.open_port("/dev/there-is-no-such-port")
    with pytest.raises(errors.UsageError):
        ports.open_port("nonsense://x")
    with pytest.raises(errors.NoDeviceError):
        ports.open_port("socket://127.0.0.1:1")


def test_no_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names what to do about it."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise serial.SerialException(13, "could not open port: Permission denied")

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    with pytest.raises(errors.PortPermissionError) as caught:
        ports.open_port("/dev/ttyACM0")
    assert "dialout" in caught.value.action


def test_choosing_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """None, one, several, by serial number."""
    found: list[ports.PortInfo] = []
    monkeypatch.setattr(ports, "discover", lambda: found)
    with pytest.raises(errors.NoDeviceError):
        ports.resolve(None)
    found.append(ports.PortInfo("/dev/a", "board", "e661", ""))
    assert ports.resolve(None) == "/dev/a"
    found.append(ports.PortInfo("/dev/b", "simulator", "e662", ""))
    with pytest.raises(errors.AmbiguousDeviceError, match="e662"):
        ports.resolve(None)
    assert ports.resolve("E662") == "/dev/b"
    assert ports.resolve("rfc2217://host:1") == "rfc2217://host:1"
    with pytest.raises(errors.NoDeviceError, match="e663"):
        ports.resolve("e663")


def test_reports_of_any_error() -> None:
    """Every exception has words, an exit code and a JSON form."""
    for error in (
        errors.NoDeviceError("x"),
        KeyboardInterrupt(),
        FileNotFoundError(2, "No such file", "f"),
        ZeroDivisionError(),
    ):
        told = errors.report(error)
        assert told.as_text().startswith("Error: ") and told.exit_code != 0
        assert json.dumps(told.as_dict())
    assert errors.report(KeyboardInterrupt()).exit_code == 130


def test_every_error_class_says_when_it_is_raised() -> None:
    """One tree, a docstring each, an exit code of the table."""
    classes = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, errors.IontoError)]
    assert len(classes) > 15
    for item in classes:
        assert item.__doc__ and "aised" in item.__doc__, item
        assert item.exit_code in errors.EXIT_CODE_HELP


def test_probe_bytes_do_no_harm_at_a_prompt() -> None:
    """A HELLO sent to a MicroPython prompt holds no Ctrl-C, Ctrl-D or Ctrl-E."""
    read_end, write_end = os.pipe()

    class Recorder:
        timeout = 0.0
        in_waiting = 0

        def write(self, data: bytes) -> None:
            os.write(write_end, data)

        def read(self, size: int) -> bytes:
            return b""

    link = Link(Recorder(), "recorder", messages.error_for)
    with pytest.raises(errors.NoAnswerError):
        Device(link).hello(timeout_s=0.01)
    sent = os.read(read_end, 4096)
    assert sent.count(struct.pack("<H", 0xC3A5)) == 3
    assert not {3, 4, 5} & set(sent)
