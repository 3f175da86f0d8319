"""Commands that act on the session: start, pause, resume, abort, clear, self-test, status."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from ionto import protocol
from ionto_host.board import benchtest
from ionto_host.cli.common import Answer, IontoCommand, examples, note, open_device, table
from ionto_host.device import messages, versions
from ionto_host.device.answers import Check, Hello, Status
from ionto_host.device.client import Device
from ionto_host.device.hand import with_hand
from ionto_host.errors import DeviceFaultError, ExitCode, IontoError, RefusedError, UsageError
from ionto_host.logs.sessionfile import FELT
from ionto_host.units import clock, ma, ma_min


def status_data(status: Status) -> dict[str, Any]:
    """Return the status record with its names in words, as `--json` prints it."""
    named = {"state": status.state_name, "outcome": status.outcome_name, "fault": status.fault_name}
    more = {"flags": status.flag_names, "fault_code": status.fault, "current_when_off": status.current_when_off}
    named["second_fault"] = status.second_fault_name
    return {**vars(status), **named, **more}


def tell_of_cut_short(hello: Hello | None) -> None:
    """Say on stderr that sessions were cut short whose logs nobody has pulled yet, with the next step."""
    if hello and hello.unpulled:
        note(f"Note: {messages.cut_short(hello.unpulled)}. {messages.PULL}")


def current_warning(status: Status) -> str:
    """Return a loud line when current flows although the output is off, nothing otherwise."""
    return f"WARNING: {status.current_warning}\n" if status.current_when_off else ""


@contextmanager
def _acting() -> Iterator[Device]:
    """Yield the device for a command that acts; its refusal also says when current flows that must not."""
    with open_device() as device:
        try:
            yield device
        except (RefusedError, DeviceFaultError) as error:
            with suppress(IontoError):
                status = device.settled_status()
                if status.current_when_off:
                    error.message += f". WARNING: {status.current_warning}"
                    error.details["current_when_off"] = True
            raise


def _after(device: Device, did: str) -> Answer:
    status = device.settled_status()
    text = f"{current_warning(status)}{did} The device is in {status.state_name}."
    return Answer(status_data(status), text, ExitCode.FAULT if status.current_when_off else ExitCode.OK)


@click.command(cls=IontoCommand)
def start() -> Answer:
    """Arm the device and start the session of the dose it holds.

    With a computer plugged in this works only on a bench, with the bench strap fitted; otherwise unplug USB and hold
    START on the device for 2 s (2 to 10 s; it acts when you let go). While the current holds, the same long press
    reports stinging and lowers the current by a quarter: `ionto comfort --help`.
    """
    with _acting() as device:
        tell_of_cut_short(device.known)
        with_hand(device.start, note)
        return _after(device, "Started; watch it with `ionto monitor`.")


@click.command(cls=IontoCommand)
def pause() -> Answer:
    """Pause the session; the charge count is kept."""
    with _acting() as device:
        device.pause()
        return _after(device, "Paused; go on with `ionto resume`.")


@click.command(cls=IontoCommand)
def resume() -> Answer:
    """Resume a paused session with a ramp up."""
    with _acting() as device:
        with_hand(device.resume, note)
        return _after(device, "Resumed.")


@click.command(cls=IontoCommand)
def abort() -> Answer:
    """End the session; accepted in every state."""
    with _acting() as device:
        device.abort()
        return _after(device, "Ended.")


@click.command(cls=IontoCommand)
def clear() -> Answer:
    """Clear a latched fault, when its cause is gone.

    A log that could not be written is tried again; when that fails too, the fault is latched anew (exit code 5).
    Without a latched fault nothing changes.
    """
    with _acting() as device:
        if device.status().state != protocol.FAULT:
            return _after(device, "No fault is latched; nothing was changed.")
        device.clear_fault()
        status = device.log_written()
        if status.state == protocol.FAULT:
            text = f"{current_warning(status)}Not cleared: {status.fault_name} is latched again."
            return Answer(status_data(status), text, ExitCode.FAULT)
        return _after(device, "Cleared.")


@click.command(cls=IontoCommand)
@click.option("--last", is_flag=True, help="Show the results of the last one since power-on; start none.")
@click.option("--bench", is_flag=True, help="Then what only a person with a meter can find, step by step.")
def selftest(last: bool, bench: bool) -> Answer:
    """Run the self-test and show every measured value with its range.

    It ends at the first part that fails, and the device latches that fault. A session begins with the same test.

    With --bench it needs a resistor at the electrodes and the bench strap; when it has passed, the board is taken off
    the computer, and each step says what to measure where and what is right. Type the value, or "skip". A step that
    fails or is left out exits with 5. To be done when a board is built, after a repair, a fall or a wetting, and once
    a year.
    """
    if last and bench:
        raise UsageError("--last runs nothing, --bench does", "Leave one of the two out.")
    with _acting() as device:
        checks = device.self_test(last)
        variant = device.known.variant if device.known else "A"
    if not checks:
        return Answer({"passed": None, "results": []}, "No self-test has run since power-on: `ionto selftest`.")
    passed = all(check.ok for check in checks)
    rows = [["ok" if check.ok else "FAIL", check.name, *_value_and_range(check)] for check in checks]
    text = table(rows, ["", "test", "value", "range"])
    data = {"passed": passed, "results": checks}
    if bench and passed:
        steps, more = _bench_steps(variant)
        data, text, passed = {**data, **steps}, f"{text}\n{more}", steps["passed"]
    return Answer(data, text, exit_code=ExitCode.OK if passed else ExitCode.FAULT)


def _bench_steps(variant: str) -> tuple[dict[str, Any], str]:
    """Lead a person through what the device cannot find; return the data and the table."""
    _tell("The self-test has passed. What follows needs no computer on the board: unplug it.")
    found = list(benchtest.run(variant, _tell, _measured))
    rows = [
        [
            "ok" if item.ok else "left out" if item.value is None else "FAIL",
            item.key,
            "-" if item.value is None else f"{item.value:g} {item.unit}",
            f"{item.low:g} to {item.high:g} {item.unit}",
            "" if item.ok else item.finds,
        ]
        for item in found
    ]
    total = benchtest.summary(found)
    return {**total, "bench": found}, table(rows, ["", "step", "value", "range", "look at"])


def _tell(text: str) -> None:
    """Say it with --json as well: a person has to do it."""
    click.echo(text, err=True)


def _measured(step: benchtest.Step, expected: str) -> float | None:
    """Ask for the value of one step until it is a number or "skip"."""
    while True:
        said = str(click.prompt(f"{step.do} ({expected})", err=True)).strip().lower()
        if said == "skip":
            return None
        try:
            return float(said.split()[0].replace(",", "."))
        except (ValueError, IndexError):
            _tell(f'A number of {step.unit}, or "skip".')


def _value_and_range(check: Check) -> list[str]:
    unit = f" {check.unit}" if check.unit else ""
    value = "-" if check.value in (None, "") else f"{check.value}{unit}"
    if check.low is not None and check.high is not None:
        return [value, f"{check.low} to {check.high}{unit}"]
    if check.high is not None:
        return [value, f"at most {check.high}{unit}"]
    return [value, f"at least {check.low}{unit}" if check.low is not None else "-"]


@click.command(cls=IontoCommand)
def status() -> Answer:
    """Show what the device does now: state, current, load, charge, fault."""
    with open_device() as device:
        now = device.settled_status()
        hello = device.known
    exit_code = ExitCode.FAULT if now.state == protocol.FAULT or now.current_when_off else ExitCode.OK
    text = status_text(now)
    fit = versions.fit(hello.firmware) if hello else None
    if hello and fit:
        text += f"\n{'firmware':<8} {hello.firmware}, {fit.text}{'. ' + fit.action if fit.action else ''}"
    if hello and hello.unpulled:
        text += f"\n{'before':<8} {messages.cut_short(hello.unpulled)}. {messages.PULL}"
    known = {"firmware": hello.firmware if hello else None, "firmware_fits": fit.fits if fit else None}
    return Answer({**status_data(now), **known, "cut_short": hello.cut_short if hello else []}, text, exit_code)


def status_text(now: Status) -> str:
    """Return the status in lines for a person."""
    on = now.flag(protocol.FLAG_OUTPUT_ON)
    load = f"{now.load_mv / 1000:.2f} V, {now.load_ohm / 1000:.2f} kohm" if on else "output off"
    if now.current_when_off:
        load = "unknown: the output is switched off, and current still flows"
    rows = [
        ["state", now.state_name + (f", last session: {now.outcome_name}" if now.outcome else "")],
        ["current", f"{ma(now.current_ua):.3f} mA, set-point {ma(now.setpoint_ua):.3f} mA"],
        ["load", load],
        ["charge", f"{ma_min(now.charge_uc):.3f} of {ma_min(now.dose_uc):g} mA*min"],
        ["time", f"{clock(now.elapsed_ms / 1000)} gone, {clock(now.remaining_ms / 1000)} left"],
        ["dose", _kept(now)],
        ["supply", f"rail {now.rail_mv / 1000:.1f} V, battery {now.vsys_mv / 1000:.2f} V"],
        ["flags", ", ".join(now.flag_names) or "none"],
    ]
    if now.comfort_count:
        felt = FELT.get(now.comfort, str(now.comfort))
        rows.append(
            ["comfort", f"{now.comfort_count} reported, last {felt}; at most {ma(now.target_ua):.3f} mA from now on"]
        )
    if now.fault:
        message = messages.message_for(now.fault)
        rows.append(["fault", f"{now.fault_name}: {message.text}. {message.action}"])
    if now.second_fault:
        rows.append(["then", f"{now.second_fault_name}: {messages.message_for(now.second_fault).text}."])
    return current_warning(now) + "\n".join(f"{name:<8} {value}" for name, value in rows)


def _kept(now: Status) -> str:
    if now.flag(protocol.FLAG_DOSE_DAMAGED):
        return "the one kept on the board is damaged or outside its limits and was dropped: push it again"
    if not now.flag(protocol.FLAG_DOSE_LOADED):
        return "none; push one with `ionto dose push FILE`"
    return f"loaded, {now.starts_left} start{'s' if now.starts_left != 1 else ''} left"


examples("ionto start", "ionto start && ionto monitor")(start)
examples("ionto pause")(pause)
examples("ionto resume")(resume)
examples("ionto abort")(abort)
examples("ionto clear")(clear)
examples("ionto selftest", "ionto selftest --last", "ionto selftest --json", "ionto selftest --bench")(selftest)
examples("ionto status", "ionto status --json")(status)

COMMANDS = (start, pause, resume, abort, clear, selftest, status)
