"""A course on the virtual Pico: six sessions on loads that differ, a lifted electrode, one ended for stinging."""

import json
from pathlib import Path

import pytest

from ionto_host import cli

ANSWERS = str(Path(__file__).parents[2] / "examples/answers/simulated_load.toml")
SESSIONS = (  # day, load, what happens in it, reactions
    ("2026-03-02 10:00", 2_000, "", ("none",)),
    ("2026-03-05 10:30", 4_700, "", ("tingling",)),
    ("2026-03-09 09:40", 1_000, "lifted", ("tingling", "redness")),
    ("2026-03-12 11:05", "skin", "stinging", ("stinging",)),
    ("2026-03-16 10:00", 2_000, "", ("tingling",)),
    ("2026-03-19 10:20", 1_000, "", ("none",)),
)
SHORT = ("--ramp-up", "2", "--ramp-down", "2", "--accept", "--force")


class Person:
    """Types `ionto` commands at this board, in this process, for speed."""

    def __init__(self, port, capture):
        self.port, self.capture = port, capture

    def __call__(self, *arguments, code=0):
        """Run one command and return its JSON, if it is one document."""
        got = cli.main([*map(str, arguments), "--port", self.port, "--json"])
        out, err = self.capture.readouterr()
        assert got == code, f"{arguments}: exit {got}\n{out}\n{err}"
        lines = [json.loads(line) for line in (out or err).splitlines() if line.startswith("{")]
        return lines[-1] if lines else None


def play(bench, ionto, event):
    """Run the session that was pushed to its end, with what happens in it."""
    before_uc = bench.pico.meter().charge_uc
    ionto("start")
    if event:
        bench.wait(charge_above_uc=before_uc + 10_000)
    if event == "lifted":
        bench.pico.set_load("open")
    elif event == "stinging":
        bench.pico.set_speed(1)  # a person acts before the dose is over
        assert ionto("comfort", "stinging", "--lower")["to_ma"] == 1.5
        ionto("abort")
        bench.pico.set_speed("max")
    ionto("monitor", "--interval", "0.1", "--timeout", "60", code=5 if event == "lifted" else 0)
    ionto("logs", "pull")
    if event == "lifted":
        bench.pico.set_load(1_000)
        ionto("clear")


@pytest.mark.hazard("HAZ-36", "HAZ-37")
def test_a_course_of_six_sessions(bench, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IONTO_LOGS", str(tmp_path / "logs"))
    monkeypatch.chdir(tmp_path)
    ionto = Person(bench.pico.port, capsys)
    ionto("course", "new", "B-1", "--preset", "plantar-fasciitis", "--bench", "--start", "2026-03-02")
    for day, load, event, reactions in SESSIONS:
        bench.pico.set_load(load)
        dose = 10 if event else 0.5  # what is cut short has to last until it is
        made = ionto("dose", "new", "d.toml", "--subject", "B-1", "--area", 10, "--dose", dose, *SHORT)
        assert made["proposal"]["current_ma"] == made["current_ma"]
        push = ("dose", "push", "d.toml", "--course", "B-1", "--at", day)
        ionto(*push, code=4)  # nobody to ask and no answers
        ionto(*push, "--screening", ANSWERS)
        play(bench, ionto, event)
        given = [part for item in reactions for part in ("--reaction", item)]
        if event == "stinging":
            given = ["--accept"]
            assert ionto("course", "log", "B-1", code=2)["error"]["proposed"] == ["stinging"]
        ionto("course", "log", "B-1", *given)
        soon = ionto(*push[:-1], f"{day[:10]} 20:00", "--screening", ANSWERS, code=4)
        assert "too soon" in soon["error"]["message"] or "6 of 6" in soon["error"]["message"]
    kept = ionto("course", "status", "B-1")
    assert kept["sessions_done"] == 6 and kept["ahead"] == []
    facts = [item["facts"] for item in kept["sessions"]]
    assert [item["outcome"] for item in facts] == ["complete", "complete", "fault", "aborted", "complete", "complete"]
    assert facts[2]["faults"] == ["OPEN_CIRCUIT"] and all(item["log_verified"] for item in facts)
    assert [tuple(item["reactions"]) for item in kept["sessions"]] == [item[3] for item in SESSIONS]
    (felt,) = facts[3]["comfort"]
    assert felt["felt"] == "stinging" and felt["lowered_to_ma"] == facts[3]["lowered_to_ma"] == 1.5
    assert any("stinging after" in text for text in kept["warnings"])
    currents = [item["current_ma"] for item in kept["sessions"]]
    assert currents == [2, 2, 2, 2, 1.5, 1.8], "lower after stinging, then up without a leap"
    assert kept["dose_delivered_ma_min"] == pytest.approx(bench.pico.meter().charge_uc / 60_000, abs=0.02)
    ionto("course", "report", "B-1", "--output", "course.html")
    assert (tmp_path / "course.html").read_text().count("<article") == 6
    assert len(ionto("course", "export", "B-1")["courses"][0]["sessions"]) == 6
