"""What is wrong, and what to do next: this computer, the port, the board and what its firmware knows of itself."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ionto import protocol
from ionto.sessionlog_format import LOG_NEEDS_FREE_BYTES
from ionto_host.board import micropython_image
from ionto_host.board.firmware_files import RP2040_MPY
from ionto_host.device import messages, versions
from ionto_host.device.answers import Check, Health, Hello, LogEntry, Status
from ionto_host.device.client import Device
from ionto_host.doctor.computer import computer
from ionto_host.doctor.findings import Finding, bad, good, of_error, warn
from ionto_host.errors import DeviceFaultError, ExitCode, IontoError, NoDeviceError, RefusedError
from ionto_host.logs import index as logindex
from ionto_host.logs import store as logstore

_LOW_FLASH_BYTES = 4 * LOG_NEEDS_FREE_BYTES
_FREE_HEAP_BYTES = 64 * 1024
_DRIFT_S = 5.0
_CABLE = (
    "Plug a board in, with a cable that carries data: many carry power only. A blank Pico: hold BOOTSEL while plugging "
    "it in. Without a board: `ionto sim`."
)
_AT_REST = "not measured since power-on: the boost converter is off at rest"


def examine(name: str | None, self_test: bool = False) -> Iterator[Finding]:
    """Yield what there is to say about this computer and the device `name` (None: the only one).

    Reads only, unless `self_test`, which passes a harmless current (40 uA in variant A) and latches a fault it finds.
    """
    yield from computer()
    try:
        device = Device.open(name)
    except NoDeviceError as error:
        action = _CABLE if error.action == NoDeviceError.action else error.action
        yield bad("board", error.message, action, error.exit_code)
        return
    except IontoError as error:
        yield of_error("board", error)
        return
    with device:
        try:
            yield from _board(device, self_test)
        except IontoError as error:
            yield of_error("board", error)


def _board(device: Device, self_test: bool) -> Iterator[Finding]:
    status = device.settled_status()
    if status.running:
        if status.current_when_off:
            yield _state(status)
        text = f"{device.link.name}: a session is under way, {status.state_name}; nothing else was asked"
        yield warn("board", text, "Repeat it when the session is over; `ionto monitor` watches it.")
        return
    hello = device.identity
    yield good("board", f"{hello.board_id} at {device.link.name}, variant {hello.variant}", board_id=hello.board_id)
    yield _versions(hello)
    yield _micropython(hello)
    yield _reset(hello)
    yield _state(status)
    yield _strap(hello, status)
    health = device.health()
    yield _sensor(health, status)
    yield from _tests(device, self_test)
    yield _settings(hello)
    yield _calibration(hello)
    yield _flash(health)
    yield _heap(health)
    yield _clock(hello, health)
    yield from _cut_short(hello)
    yield _logs(device, hello)


def _versions(hello: Hello) -> Finding:
    text = f"{hello.firmware}, protocol {hello.protocol}, log format {hello.log_format}"
    fit = versions.fit(hello.firmware)
    found = f"{text}; {fit.text}"
    return good("firmware", found) if fit.fits else warn("firmware", found, fit.action)


def _micropython(hello: Hello) -> Finding:
    if hello.micropython != micropython_image.VERSION:
        text = f"{hello.micropython}; tested is {micropython_image.VERSION}"
        if hello.mpy != RP2040_MPY:  # a simulator's: another processor
            return good("MicroPython", f"{hello.micropython}, of a virtual Pico")
        return warn("MicroPython", text, "`ionto flash --micropython` puts the tested one on the board.")
    return good("MicroPython", hello.micropython)


def _reset(hello: Hello) -> Finding:
    text = f"{hello.reset_cause}, {hello.unplanned_resets} unplanned in a row"
    if hello.reset_cause == "watchdog" or hello.unplanned_resets:
        return warn(
            "last reset", text, "Check supply and wiring; `ionto logs pull` has the session that was cut short."
        )
    return good("last reset", text)


def _state(status: Status) -> Finding:
    if status.current_when_off:
        return bad(
            "state", status.current_warning, "DISCONNECT THE ELECTRODES and do not use this board.", ExitCode.FAULT
        )
    if status.state == protocol.FAULT:
        message = messages.message_for(status.fault)
        return bad("state", f"{status.fault_name}: {message.text}", message.action, ExitCode.FAULT, fault=status.fault)
    return good("state", status.state_name)


def _strap(hello: Hello, status: Status) -> Finding:
    if status.flag(protocol.FLAG_STOP_OPEN):
        return bad("STOP loop", "open", "Release STOP and check its plug and wires.", ExitCode.FAULT)
    if hello.bench_strap:
        text = "fitted: sessions run with USB plugged in, and a computer can start them"
        return warn("bench strap", text, "Right for a bench without a person; take it off otherwise.")
    return good("bench strap", "not fitted: USB holds the output off")


def _sensor(health: Health, status: Status) -> Finding:
    if not health.sensor_ok:
        action = "Check SDA (GP4), SCL (GP5), supply and ground of the INA219, and its address 40h."
        return bad("sensor", "the INA219 does not answer, or lost its configuration", action, ExitCode.FAULT)
    return good("sensor", f"INA219 answers, {status.current_ua} uA with the output off", current_ua=status.current_ua)


def _tests(device: Device, self_test: bool) -> Iterator[Finding]:
    """Yield the rail, the battery and what else the last self-test measured, or one made now."""
    try:
        checks = device.self_test(last=not self_test)
    except (RefusedError, DeviceFaultError) as error:
        yield of_error("self-test", error)
        return
    if not checks:
        yield warn("rail", _AT_REST, "`ionto doctor --self-test` measures it, with a load connected.")
    for check in checks:
        if check.name in ("rail", "battery") or not check.ok:
            yield _check(check)
    if checks and all(check.ok for check in checks):
        yield good("self-test", f"{'passed now' if self_test else 'the last one passed'}, {len(checks)} parts")


def _check(check: Check) -> Finding:
    unit = f" {check.unit}" if check.unit else ""
    span = f", {check.low} to {check.high}{unit} is right" if check.low is not None and check.high is not None else ""
    text = f"{check.value}{unit}{span}" if check.value not in (None, "") else "failed"
    if check.ok:
        return good(check.name, text)
    return bad(
        check.name,
        f"self-test: {text}",
        "`ionto selftest` shows every part; docs/user_guide.md says what each means.",
        ExitCode.FAULT,
    )


def _settings(hello: Hello) -> Finding:
    if hello.settings.get("damaged"):
        return bad(
            "limits", "damaged on flash: the lowest hold", "`ionto limits set` writes them anew.", ExitCode.FAULT
        )
    return good("limits", f"up to {hello.settings.get('max_current_ua', 0) / 1000:g} mA", **hello.settings)


def _calibration(hello: Hello) -> Finding:
    state = hello.calibration.get("state")
    if state == "damaged":
        text = "damaged on flash: the sensor's own scale holds"
        return bad(
            "calibration",
            text,
            "`ionto calibrate` makes a new one; `ionto calibrate --remove` forgets it.",
            ExitCode.FAULT,
        )
    if state != "kept":
        return warn(
            "calibration", "none: the sensor's own scale holds, +-0.6 %", "`ionto calibrate`, with a reference meter."
        )
    return good("calibration", messages.calibration_words(hello.calibration), **hello.calibration)


def _flash(health: Health) -> Finding:
    text = f"{health.flash_free_bytes / 1024:.0f} of {health.flash_bytes / 1024:.0f} KiB free, {health.logs} logs"
    if health.flash_free_bytes < LOG_NEEDS_FREE_BYTES:
        action = "`ionto logs pull --delete` makes room; until then the board refuses sessions."
        return bad("flash", text, action, ExitCode.REFUSED, free_bytes=health.flash_free_bytes)
    if health.flash_free_bytes < _LOW_FLASH_BYTES:
        return warn("flash", text, "`ionto logs pull --delete` makes room.", free_bytes=health.flash_free_bytes)
    return good("flash", text, free_bytes=health.flash_free_bytes)


def _heap(health: Health) -> Finding:
    text = f"{health.heap_free_bytes / 1024:.0f} KiB free"
    if health.heap_free_bytes < _FREE_HEAP_BYTES:
        return warn("memory", text, "Less than 64 KiB: reset the board, and report it if it repeats.")
    return good("memory", text)


def _clock(hello: Hello, health: Health) -> Finding:
    if not hello.clock_set:
        return warn("clock", "not set since power-on: logs are not dated", "`ionto clock set`.")
    drift_s = health.time_unix_s - time.time()
    text = f"{drift_s:+.0f} s against this computer"
    if abs(drift_s) > _DRIFT_S:
        return warn("clock", text, "`ionto clock set`.", drift_s=round(drift_s, 1))
    return good("clock", text, drift_s=round(drift_s, 1))


def _cut_short(hello: Hello) -> Iterator[Finding]:
    if hello.unpulled:
        yield warn("cut short", messages.cut_short(hello.unpulled), messages.PULL, cut_short=hello.cut_short)


def _logs(device: Device, hello: Hello) -> Finding:
    """Which of the device's logs are not on this computer yet, and which that it had are gone or changed?"""
    folder = logstore.board_folder(hello.board_id)
    entries = device.list_logs()
    wrong = _since_last_visit(hello, entries)
    if wrong:
        return warn("logs", " ".join(wrong), "`ionto logs pull` fetches what there is, and tells this once more.")
    missing = [entry.id for entry in entries if not logstore.path_of(folder, entry.id).is_file()]
    if missing:
        return warn(
            "logs", f"{len(missing)} not pulled yet", "`ionto logs pull` fetches and verifies them.", missing=missing
        )
    return good("logs", "all of the device's are on this computer")


def _since_last_visit(hello: Hello, entries: list[LogEntry]) -> list[str]:
    """Return what is wrong with the board's logs against its last visit; remember nothing."""
    root = logstore.default_folder()
    if not hello.store or not (root / logindex.FILE).is_file():
        return []
    with logindex.opened(root) as index:
        anew = [messages.MADE_ANEW] if index.made_anew(hello.board_id, hello.store) else []
        return anew + index.compare(hello.board_id, hello.store, entries)
