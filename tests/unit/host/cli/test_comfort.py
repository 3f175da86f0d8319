"""`ionto comfort`, and what is told of sessions cut short: words, JSON, exit codes, questions on a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_device import FakeDevice
from shell import BENCH, Shell

from ionto import protocol
from ionto_host.cli import comfortcmd
from ionto_host.cli.common import open_device
from ionto_host.device import messages


def started(ionto: Shell, fake: FakeDevice) -> None:
    fake.charge_step_uc = 0  # or it would be over after a few looks
    assert ionto("dose", "push", BENCH) == 0 and ionto("start") == 0


def test_each_report_is_told_and_pain_ends(ionto: Shell, fake: FakeDevice) -> None:
    started(ionto, fake)
    assert ionto("comfort", "tingling") == 0 and "Tingling is in the log, at 1.000 mA." in ionto.out
    told = ionto.json("comfort", "stinging", "--lower")
    assert (told["from_ma"], told["to_ma"], told["target_ua"]) == (1.0, 0.75, 750)
    assert ionto("comfort", "stinging", "--keep") == 0 and "stays at 0.75 mA" in ionto.out
    assert ionto("comfort", "stinging", "--to-ma", "0.5") == 0 and "from 0.75 to 0.50 mA" in ionto.out
    assert ionto("status") == 0 and "4 reported, last stinging; at most 0.500 mA" in ionto.out
    assert ionto("comfort", "pain") == 0 and "the session ends. The device is in DONE." in ionto.out
    assert fake.felt == [1, 2, 2, 2, 3]


@pytest.mark.parametrize("to_ma", ["1", "1.5", "0.099", "65"])
def test_a_current_that_is_not_lower_is_refused(ionto: Shell, fake: FakeDevice, to_ma: str) -> None:
    """With field, value and range, and what to do."""
    started(ionto, fake)
    assert ionto("comfort", "stinging", "--to-ma", to_ma) == 4
    assert f"to_ma is {to_ma} mA, allowed 0.1 to 0.999 mA" in ionto.err and "--lower" in ionto.err
    error = ionto.json("comfort", "stinging", "--to-ma", to_ma)["error"]
    assert (error["field"], error["low"], error["high"]) == ("to_ua", 100, 999)
    assert fake.target_ua == 1_000 and fake.felt == []


def test_at_the_least_current_nothing_lower_is_offered(ionto: Shell, fake: FakeDevice) -> None:
    started(ionto, fake)
    fake.target_ua = 100
    assert ionto("comfort", "stinging", "--lower") == 4 and "at its least already" in ionto.err
    assert "--lower" not in ionto.err and "`ionto comfort stinging --keep`" in ionto.err  # nothing is logged yet
    assert ionto("comfort", "stinging", "--keep") == 0 and "`ionto comfort pain`" in ionto.out


def test_without_a_session_the_refusal_names_the_state(ionto: Shell) -> None:
    assert ionto("comfort", "pain") == 4 and "it is in IDLE" in ionto.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("tingling", "--lower"),
        ("pain", "--to-ma", "1"),
        ("stinging", "--lower", "--keep"),
        ("stinging",),
        ("stinging", "--to-ma", "much"),
        ("stinging", "--to-ma", "0"),
        ("stinging", "--to-ma", "0.0001"),
        ("itching",),
        (),
    ],
)
def test_what_does_not_make_sense_is_a_usage_error(
    ionto: Shell,
    fake: FakeDevice,
    arguments: tuple[str, ...],
) -> None:
    started(ionto, fake)
    assert ionto("comfort", *arguments) == 2
    assert fake.felt == []


@pytest.mark.parametrize(("answer", "to_ua"), [("y", 750), ("n", 1_000), ("", 750)])
def test_on_a_terminal_it_asks(
    ionto: Shell,
    fake: FakeDevice,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    to_ua: int,
) -> None:
    started(ionto, fake)
    monkeypatch.setattr(comfortcmd, "can_ask", lambda: True)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda text: answer)
    assert ionto("comfort", "stinging") == 0
    assert (fake.target_ua, fake.felt) == (to_ua, [protocol.STINGING])


def test_the_port_is_free_while_the_question_stands(
    ionto: Shell,
    fake: FakeDevice,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that another command gets through; what it did meanwhile counts, and the report is logged all the same."""
    started(ionto, fake)

    def answered(text: str) -> str:
        with open_device() as device:
            device.comfort(protocol.STINGING, 600)
        return "y"

    monkeypatch.setattr(comfortcmd, "can_ask", lambda: True)
    monkeypatch.setattr("click.termui.visible_prompt_func", answered)
    assert ionto("comfort", "stinging") == 0 and "stays at 0.60 mA" in ionto.out
    assert (fake.target_ua, fake.felt) == (600, [protocol.STINGING, protocol.STINGING])


@pytest.mark.hazard("HAZ-24")
def test_a_session_cut_short_is_told_everywhere(ionto: Shell, fake: FakeDevice, tmp_path: Path) -> None:
    """Against less than the dose taken for the dose: by status, push, start and doctor, with the next step."""
    fake.cut_short = [[7, 30_000], [5, -1]]
    words = "session 5 was cut short after an unknown charge; session 7 was cut short after at least 0.500 mA*min"
    assert ionto("status") == 0 and words in ionto.out and messages.PULL in ionto.out
    assert ionto.json("status")["cut_short"] == [[7, 30_000], [5, -1]]
    assert ionto("dose", "push", BENCH) == 0 and words in ionto.err
    assert ionto("start") == 0 and words in ionto.err
    ionto("abort")
    ionto("doctor")
    assert words in ionto.out
    fake.cut_short = []
    assert ionto("status") == 0 and "cut short" not in ionto.out
