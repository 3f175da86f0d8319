"""What needs a hand on the board: the host says what to press, tries again, gives up; `ionto limits`."""

from __future__ import annotations

import json

import pytest
from fake_device import FakeDevice

from ionto import faults, protocol
from ionto_host.board.flashing import leave_application
from ionto_host.cli import main
from ionto_host.device import hand
from ionto_host.device.client import Device
from ionto_host.device.hand import with_hand
from ionto_host.errors import RefusedError


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, fake: FakeDevice) -> None:
    monkeypatch.setattr(hand, "_PERIOD_S", 0.01)
    fake.settings |= {"max_current_ua": 2_000, "max_dose_uc": 60_000}


@pytest.mark.hazard("HAZ-20")
def test_start_waits_for_the_press(fake: FakeDevice, port: str) -> None:
    """What to press is said once; START acts once."""
    told: list[str] = []
    fake.dose, fake.hand_after = b"{}", 3
    with Device.open(port) as device:
        with_hand(device.start, told.append)
    assert (fake.starts, told) == (1, [hand.PRESS])


@pytest.mark.hazard("HAZ-29")
def test_flash_waits_for_the_press(fake: FakeDevice, port: str) -> None:
    told: list[str] = []
    fake.hand_after = 2
    leave_application(port, told.append)
    assert told == [hand.PRESS]
    assert fake.requests.count(protocol.MAINTENANCE) == 3


@pytest.mark.hazard("HAZ-20", "HAZ-29")
@pytest.mark.parametrize("command", [["start"], ["maintenance"], ["limits", "set", "--current-ma", "3"]])
def test_nobody_presses(
    fake: FakeDevice, port: str, command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused in the end, with exit code 4 and the next action; nothing was done."""
    monkeypatch.setattr(hand, "WAIT_S", 0.1)
    fake.dose, fake.hand_after = b"{}", 10_000
    assert main(["--port", port, *command]) == 4
    printed = capsys.readouterr().err
    assert printed.count("press START briefly") == 1 and "Press START briefly and repeat" in printed
    assert fake.starts == 0
    assert fake.settings["max_current_ua"] == 2_000


def test_another_refusal_is_not_waited_for(fake: FakeDevice, port: str) -> None:
    with Device.open(port) as device, pytest.raises(RefusedError) as refused:
        with_hand(device.start, pytest.fail)
    assert refused.value.details["code"] == faults.NO_DOSE


def test_limits_are_shown_beside_the_compiled_ones(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", port, "limits", "show"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows == [
        ["current", "2", "mA", "4", "mA"],
        ["dose", "1", "mA*min", "80", "mA*min"],
        ["density", "0.5", "mA/cm2", "0.5", "mA/cm2"],
    ]


def test_limits_are_set_in_a_persons_units(fake: FakeDevice, port: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--port", port, "--json", "limits", "set"]
    assert main([*arguments, "--current-ma", "1.5", "--dose-ma-min", "0.5", "--density-ma-cm2", "0.2"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings == {"max_current_ua": 1_500, "max_dose_uc": 30_000, "max_density_ua_cm2": 200, "changes": 3}
    assert main(arguments) == 2
    fake.settings["damaged"] = True
    assert main(["--port", port, "limits", "show"]) == 0
    assert "damaged" in capsys.readouterr().out


def test_the_last_self_test_is_asked_for(fake: FakeDevice, port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", port, "selftest", "--last"]) == 0
    assert "offset" in capsys.readouterr().out
    assert fake.requests[-1] == protocol.STATUS or protocol.SELF_TEST in fake.requests
