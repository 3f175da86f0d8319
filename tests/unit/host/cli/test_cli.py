"""The command `ionto`: answers as text and JSON, exit codes, errors with a next step, never a traceback."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from fake_device import BOARD_ID, FakeDevice, make_log, on_pty
from shell import BENCH, EXAMPLES, Shell

from ionto import faults, limits, protocol, version
from ionto_host import cli, errors
from ionto_host.cli import board, lazy
from ionto_host.cli.root import root
from ionto_host.transport import ports


def commands(group: click.Group = root, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with its path."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = dict(commands())


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_of_every_command(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Help says what, has examples that name the command, the common options, and the exit codes."""
    assert cli.main([*path, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"ionto {' '.join(path)}" in text.partition("Examples:")[2]
    assert all(option in text for option in ("--port", "--json"))
    codes = " ".join(text.partition("Exit codes:")[2].split())
    assert all(f"{int(code)} {words}" in codes for code, words in errors.EXIT_CODE_HELP.items())
    assert ALL[path].help


def test_the_top_knows_its_commands_without_importing_them(capsys: pytest.CaptureFixture[str]) -> None:
    """Help, exit codes and version of the top; nothing that is slow to import is behind them, nor behind completion."""
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(words in text for words in (*errors.EXIT_CODE_HELP.values(), *lazy.SUMMARIES.values()))
    assert cli.main(["--version"]) == 0
    assert f"protocol {version.PROTOCOL_VERSION}" in capsys.readouterr().out
    code = "import sys; from ionto_host.cli import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr.split()
    assert "click" in loaded
    assert not {"rich", "numpy", "serial", "mpremote", "jinja2", "ionto_host.device", "ionto_host.cli.board"} & {
        *loaded
    }


def test_the_whole_path(ionto: Shell, fake: FakeDevice, tmp_path: Path) -> None:
    """Clock, push, show, start, monitor, pull, show: as a user types it."""
    assert ionto("clock", "set") == 0 and fake.clock
    assert ionto("dose", "push", BENCH) == 0
    assert "read back" in ionto.out and "1 mA*min" in ionto.out
    assert ionto("dose", "show") == 0 and "Bench resistor" in ionto.out
    assert ionto("start") == 0 and "HOLD" in ionto.out
    assert ionto("monitor", "--interval", "0.05") == 0
    assert "complete" in ionto.out
    assert ionto("logs", "pull") == 0 and "verified" in ionto.out
    assert ionto("logs", "show", "1", "--csv", str(tmp_path / "s.csv"), "--png", str(tmp_path / "s.png")) == 0
    assert "every checksum holds" in ionto.out
    assert (tmp_path / "s.csv").read_text().startswith("time_s,")
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")


def test_json_everywhere(ionto: Shell, fake: FakeDevice) -> None:
    """Every answer is one JSON document, before or after the subcommand."""
    pushed = ionto.json("dose", "push", BENCH)
    assert pushed["density_ma_cm2"] == 0.1 and len(pushed["digest"]) == 64
    assert ionto.json("status")["state"] == "IDLE"
    assert ionto.json("info")["board_id"] == BOARD_ID
    assert ionto.json("selftest")["passed"] is True
    assert ionto.json("start")["state"] == "HOLD"
    lines = ionto.json("monitor", "--interval", "0.05")
    assert [line["state"] for line in lines] == ["HOLD", "DONE"] and ionto.code == 0
    assert ionto.json("logs", "pull")["logs"][0]["verified"] is True
    assert ionto.json("logs", "list")["device"][0]["pulled"]
    assert ionto.json("logs", "show")["log_verified"] is True
    assert ionto.json("logs", "delete", "1", "--yes") == {"deleted": [1]}
    assert ionto.json("maintenance")["maintenance"] is True
    assert cli.main(["--json", "--port", ionto.port, "status"]) == 0


@pytest.mark.hazard("HAZ-33")
def test_a_fault_has_exit_code_5(ionto: Shell, fake: FakeDevice) -> None:
    """The session ends in a fault; monitor and status say which and what to do."""
    fake.ends_in = protocol.FAULT
    ionto("dose", "push", BENCH)
    ionto("start")
    assert ionto("monitor", "--interval", "0.05") == 5
    assert "OPEN_CIRCUIT" in ionto.out and "ionto clear" in ionto.out
    assert ionto("status") == 5
    assert ionto.json("monitor")["fault"] == "OPEN_CIRCUIT" and ionto.code == 5
    assert ionto("selftest") == 5 and "FAIL" in ionto.out
    fake.fault = faults.SENSOR_MISSING
    assert ionto("clear") == 4 and "still there" in ionto.err
    fake.fault = faults.OPEN_CIRCUIT
    assert ionto("clear") == 0 and "Cleared." in ionto.out
    assert ionto("clear") == 0 and "No fault is latched; nothing was changed." in ionto.out


@pytest.mark.hazard("HAZ-33")
@pytest.mark.parametrize("state", [protocol.FAULT, protocol.DONE])
def test_current_that_still_flows_is_said_loudly(ionto: Shell, fake: FakeDevice, state: int) -> None:
    """With the output off and current measured, every command warns, and none says that all is well."""
    fake.state, fake.leak_ua = state, 1_270
    fake.fault = faults.OVER_CURRENT_ABSOLUTE if state == protocol.FAULT else faults.NONE
    fake.outcome = protocol.COMPLETE
    for command in ("status", "monitor", "abort"):
        assert ionto(command) == 5, command
        assert "CURRENT STILL FLOWS" in ionto.out and "1.270 mA" in ionto.out and "DISCONNECT" in ionto.out
    assert ionto.json("status")["current_when_off"] is True
    assert ionto("start") == 4 and "CURRENT STILL FLOWS" in ionto.err
    assert ionto.json("start")["error"]["current_when_off"] is True


@pytest.mark.hazard("HAZ-33")
def test_current_that_is_just_ending_is_no_alarm(ionto: Shell, fake: FakeDevice) -> None:
    """The dead-man takes its time to cut; a second look decides."""
    fake.state, fake.outcome, fake.leak_ua, fake.leak_ends = protocol.DONE, protocol.COMPLETE, 900, True
    assert ionto("status") == 0 and "STILL FLOWS" not in ionto.out
    assert ionto.json("status")["current_when_off"] is False


@pytest.mark.hazard("HAZ-24")
def test_an_interrupted_session(ionto: Shell, fake: FakeDevice, tmp_path: Path) -> None:
    """What is not known is said to be unknown; what is known is the least."""
    path = tmp_path / "cut.ilog"
    end: dict[str, object] = {"outcome": protocol.INTERRUPTED, "cause": "power_on"}
    path.write_bytes(make_log(0, events=False, end=end))
    assert ionto("logs", "show", str(path), "--png", str(tmp_path / "s.png")) == 0
    assert "unknown how much was delivered of 1 prescribed" in ionto.out and "0.000" not in ionto.out
    shown = ionto.json("logs", "show", str(path))
    assert shown["dose_delivered_ma_min"] is shown["duration_s"] is shown["current_max_ma"] is None
    path.write_bytes(make_log(0, events=False, end={**end, "charge_uc": 6_000, "t_ms": 9_000}))
    assert ionto("logs", "show", str(path)) == 0
    assert "at least 0.100 mA*min delivered" in ionto.out and "at least 0:09" in ionto.out


@pytest.mark.hazard("HAZ-01")
def test_refusals_have_exit_code_4(ionto: Shell, fake: FakeDevice, tmp_path: Path) -> None:
    """By the host's check, by the device's, and by its state."""
    assert ionto("start") == 4 and "ionto dose push" in ionto.err
    assert ionto("dose", "show") == 4
    assert ionto("dose", "push", str(EXAMPLES / "hyperhidrosis_tap_water.toml")) == 4
    assert "current_ma is 15 mA, allowed 0.1 to 4 mA" in ionto.err
    bad = tmp_path / "bad.toml"
    bad.write_text(Path(BENCH).read_text().replace("current_ma", "curent_ma"))
    assert ionto("dose", "check", str(bad)) == 4 and "unknown field curent_ma" in ionto.err


@pytest.mark.hazard("HAZ-01")
def test_a_refusal_by_the_device_alone(ionto: Shell, fake: FakeDevice) -> None:
    """A device with stricter limits than the host knows has the last word, in human units."""
    fake.limits = limits.variant_a()
    fake.limits.max_current_ua = 500
    said = ionto.json("dose", "push", BENCH)["error"]
    assert ionto.code == said["exit_code"] == 4
    assert "refused by the device" in said["message"] and "current_ma is 1 mA, allowed 0.1 to 0.5 mA" in said["message"]


def test_pause_resume_abort(ionto: Shell, fake: FakeDevice) -> None:
    """The session obeys, and the answer says in which state the device is."""
    ionto("dose", "push", BENCH)
    ionto("start")
    fake.charge_step_uc = 0
    assert ionto.json("pause")["state"] == "PAUSED"
    assert ionto.json("resume")["state"] == "HOLD"
    assert ionto.json("abort")["outcome"] == "aborted"


def test_monitor_gives_up_when_told(ionto: Shell, fake: FakeDevice) -> None:
    """--timeout is an I/O error that says how to go on; without a session there is nothing to wait for."""
    assert ionto("monitor") == 0 and "No session has run since" in ionto.out
    fake.state, fake.charge_step_uc = protocol.HOLD, 0
    assert ionto("monitor", "--timeout", "0.2", "--interval", "0.05") == 6
    assert "ionto abort" in ionto.err


@pytest.mark.hazard("HAZ-32")
def test_a_damaged_log_has_exit_code_7(ionto: Shell, fake: FakeDevice, tmp_path: Path) -> None:
    """It is kept and named; the device's copy is not deleted."""
    log = make_log()
    fake.logs = {1: log[:400] + b"\x00" + log[401:], 2: log}
    assert ionto("logs", "pull", "--delete") == 7
    assert "DAMAGED" in ionto.out and list(fake.logs) == [1]
    damaged = next((tmp_path / "logs").glob("**/*.damaged"))
    assert ionto("logs", "show", str(damaged)) == 7 and "damage" in ionto.out
    assert ionto("logs", "show", BENCH) == 7 and "not a session log" in ionto.err


@pytest.mark.hazard("HAZ-32")
def test_delete_needs_a_verified_copy(ionto: Shell, fake: FakeDevice) -> None:
    """A log that was not pulled is not lost by accident."""
    assert ionto("logs", "delete", "1", "--yes") == 4 and 1 in fake.logs
    assert ionto("logs", "delete", "1", "--yes", "--force") == 0 and not fake.logs
    assert ionto("logs", "pull", "7") == 2
    assert ionto("logs", "pull") == 0 and "No logs" in ionto.out


def test_the_open_session_is_not_pulled(ionto: Shell, fake: FakeDevice) -> None:
    """The log of a session that goes on is left out, and said so."""
    fake.state = protocol.PAUSED
    assert ionto("logs", "pull") == 0
    assert "not over" in ionto.err and "No logs" in ionto.out


def test_new_dose_files(ionto: Shell, tmp_path: Path) -> None:
    """A written file is a complete one; a refused dose is not written and no file is overwritten."""
    path = tmp_path / "d.toml"
    given = ["dose", "new", str(path), "--current", "2", "--dose", "20", "--area", "10", "--polarity", "-"]
    assert ionto(*given, "--name", 'Say "x"') == 0
    assert ionto("dose", "check", str(path)) == 0 and 'Say "x"' in ionto.out
    assert ionto(*given) == 2
    before = path.read_text()
    assert ionto("dose", "new", str(path), "--force", "--current", "40", *given[5:]) == 4
    assert path.read_text() == before
    assert ionto(*given[:4], "nan", *given[5:], "--force") == 2
    assert ionto(*given, "--force", "--site", "x\nverified  yes") == 4 and "printable" in ionto.err


def test_the_help_shows_a_whole_dose_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What it shows passes the check."""
    assert cli.main(["dose", "new", "--help"]) == 0
    path = tmp_path / "d.toml"
    path.write_text(capsys.readouterr().out.partition("A complete dose file:")[2])
    assert cli.main(["dose", "check", str(path)]) == 0


def test_usage_errors(ionto: Shell) -> None:
    """Exit code 2, in JSON when asked for."""
    assert ionto("frobnicate") == 2
    assert ionto("dose", "push") == 2
    assert ionto("dose", "push", "/does/not/exist.toml") == 2
    assert ionto.json("dose", "push")["error"]["exit_code"] == 2
    assert ionto("logs", "show", "99") == 2
    assert ionto("logs", "show") == 2
    assert "no log has been pulled yet" in ionto.err and "ionto logs pull" in ionto.err


def test_no_device(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3 and the next step; an environment variable names the port."""
    monkeypatch.setattr(ports, "discover", list)
    monkeypatch.setattr(board, "discover", list)
    assert cli.main(["status"]) == 3
    assert "ionto sim" in capsys.readouterr().err
    assert cli.main(["devices", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    monkeypatch.setenv("IONTO_PORT", "/dev/there-is-none")
    assert cli.main(["status"]) == 3
    assert "/dev/there-is-none" in capsys.readouterr().err


def test_what_is_no_serial_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file and another device file are named as such, and nothing is written to them."""
    path = tmp_path / "file"
    path.write_text("mine")
    for port in (str(path), "/dev/null"):
        assert cli.main(["status", "--port", port]) == 3
        assert "not a serial port" in capsys.readouterr().err
    assert path.read_text() == "mine"


def test_a_dry_run_leaves_the_application_alone(ionto: Shell, fake: FakeDevice) -> None:
    """It says what can be known without ending the application, and keeps the dose."""
    ionto("dose", "push", BENCH)
    assert ionto("flash", "--dry-run") == 0
    assert "were not compared" in ionto.out and fake.dose
    assert ionto.json("flash", "--dry-run")["dry_run"] is True
    assert 0x0C not in fake.requests  # MAINTENANCE
    fake.flags |= protocol.FLAG_OUTPUT_ON
    assert ionto("flash", "--dry-run") == 4


def test_devices_says_what_runs(
    fake: FakeDevice, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device, one in a session, a blank one and a held one are told apart."""
    with on_pty(fake) as port:
        monkeypatch.setattr(board, "discover", lambda: [ports.PortInfo(port, "board", "", "")])
        assert cli.main(["devices", "--json"]) == 0
        listed = json.loads(capsys.readouterr().out)[0]
        assert listed["serial_number"] == BOARD_ID and "variant A" in listed["runs"]
        fake.flags |= protocol.FLAG_OUTPUT_ON
        cli.main(["devices"])
        assert "in a session" in capsys.readouterr().out
        fake.receive = lambda data: b"\r\n>>> " if b"\x02" in data else b""
        cli.main(["devices"])
        assert "without the firmware" in capsys.readouterr().out
        held = ports.open_port(port)
        monkeypatch.setattr(ports, "BUSY_WAIT_S", 0.1)
        cli.main(["devices"])
        assert "in use by another program" in capsys.readouterr().out
        held.close()


def test_an_interrupt_has_exit_code_130(ionto: Shell, fake: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends the watching, not the session, and says so."""
    fake.state, fake.charge_step_uc = protocol.HOLD, 0

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ionto_host.monitor.watching.time.sleep", interrupt)
    assert ionto("monitor") == 130
    assert "the session goes on" in ionto.err


def test_a_question_that_nobody_answers_and_one_answered_with_no(
    ionto: Shell, fake: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal the end of the input is no interruption; "no" is none either. The log stays."""
    for answer, code, words in (("", 2, "no terminal to ask at"), ("n\n", 4, "nothing was deleted")):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        told = ionto.json("logs", "delete", "1", "--force")["error"]
        assert (ionto.code, told["exit_code"]) == (code, code) and words in told["message"]
        assert 1 in fake.logs


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_an_interrupt_while_importing(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C before the command is even loaded: one line and exit code 130."""

    class Interrupting:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "ionto_host.cli.root":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "ionto_host.cli.root")
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    assert cli.main(["devices", *arguments]) == 130
    out, err = capsys.readouterr()
    assert len((out + err).splitlines()) == 1 and "interrupted" in out + err
    assert not arguments or json.loads(out)["error"]["exit_code"] == 130


def test_a_defect_is_told_as_one(ionto: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception has exit code 1 and no traceback, unless asked for."""
    monkeypatch.setattr("ionto_host.device.client.Device.status", lambda self: 1 / 0)
    assert ionto("status") == 1 and "ZeroDivisionError" in ionto.err
    assert cli.main(["status", "--verbose", "--port", ionto.port]) == 1


def test_as_a_process() -> None:
    """`python -m ionto_host` is the same command."""
    done = subprocess.run([sys.executable, "-m", "ionto_host", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("ionto ")


def test_a_new_dose_may_pulse_and_reverse(ionto: Shell, tmp_path: Path) -> None:
    """The figures of waveform, reversal, extension and starts are written, read back and shown."""
    path = tmp_path / "pulses.toml"
    given = ["dose", "new", str(path), "--current", "2", "--dose", "5", "--area", "10", "--polarity", "-"]
    more = ["--frequency", "2.5", "--duty", "40", "--reverse-every", "2", "--max-extension", "20", "--starts", "3"]
    assert ionto(*given, *more, "--force") == 0
    for words in ("160 of 400 ms (2.5 Hz, 40 %), edges 20 ms, mean 0.8 mA", "- first, reversed every 2 min, 2 times"):
        assert words in ionto.out
    shown = ionto.json("dose", "check", str(path))
    assert (shown["mean_ma"], shown["reversals"], shown["dose"]["starts"]) == (0.8, 2, 3)
    assert ionto(*given, "--force", "--reverse-at-half") == 0 and "reversed at half of the charge" in ionto.out
    assert ionto(*given, "--force", "--reverse-at-half", "--reverse-every", "2") == 2


@pytest.mark.hazard("HAZ-01")
def test_a_dose_is_checked_against_the_board_that_is_there(ionto: Shell, fake: FakeDevice) -> None:
    """With the limits set on it; without an answer, or with --variant, against those compiled in."""
    assert ionto("dose", "check", BENCH) == 0 and f"board {BOARD_ID}, variant A" in ionto.out
    fake.settings["max_current_ua"] = 1_600
    told = ionto.json("dose", "check", BENCH)
    current = next(item for item in told["derived"] if item["name"] == "current")
    assert (told["board_id"], current["limit"], current["of"]) == (BOARD_ID, 1.6, "this board")
    fake.settings["max_current_ua"] = 500
    assert ionto("dose", "check", BENCH) == 4
    assert "current_ma is 1 mA, allowed 0.1 to 0.5 mA" in ionto.err and "limits set" in ionto.err
    assert ionto("dose", "check", BENCH, "--variant", "A") == 0 and "build variant A" in ionto.out
    fake.flags |= protocol.FLAG_OUTPUT_ON
    assert ionto("dose", "check", BENCH) == 0 and "build variant A" in ionto.out


@pytest.mark.hazard("HAZ-24", "HAZ-33")
def test_what_is_missing_of_a_dose_is_said(ionto: Shell, fake: FakeDevice) -> None:
    """A session that its time limit ended names the shortfall, in monitor and log."""
    end = {"outcome": protocol.TIME_ENDED, "charge_uc": 45_000, "shortfall_uc": 15_000, "t_ms": 93_000}
    fake.logs[1] = make_log(charge_uc=45_000, end={**end, "on_ms": 92_000, "planned_on_ms": 62_000})
    assert ionto("logs", "pull") == 0
    assert ionto("logs", "show") == 0
    assert "0.250 SHORT" in ionto.out
    fake.state, fake.outcome, fake.charge_uc = protocol.DONE, protocol.TIME_ENDED, 45_000
    assert ionto("monitor") == 0
    assert "0.250 mA*min are missing" in ionto.out


@pytest.mark.hazard("HAZ-25")
def test_status_tells_of_the_kept_dose(ionto: Shell, fake: FakeDevice) -> None:
    """None, loaded with its starts, or dropped as damaged."""
    assert ionto("status") == 0 and "none; push one" in ionto.out
    fake.flags |= protocol.FLAG_DOSE_LOADED
    assert ionto("status") == 0 and "loaded, 0 starts left" in ionto.out
    fake.flags |= protocol.FLAG_DOSE_DAMAGED
    assert ionto("status") == 0 and "dropped: push it again" in ionto.out
