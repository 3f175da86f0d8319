"""Every command of docs/therapy.md, in its order, on a virtual Pico; a person answers where one is asked."""

import contextlib
import io
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from workbench import CEILING_S, simulator

from ionto_host import cli
from ionto_host.cli import common
from ionto_host.transport import simulators

ROOT = Path(__file__).parents[2]
TYPED = {  # what a person types at a command, and how it ends where that is not 0
    "ionto dose new p014.toml --subject P-014 --area 10": "\n\n",
    "ionto dose push p014.toml --course P-014": "n\n" * 13,
    "ionto comfort stinging": "y\n",
}
BENCH = ("--current", "2", "--dose", "40", "--area", "10", "--polarity", "+", "--ramp-up", "2", "--ramp-down", "2")
CODES = {"ionto dose push heel.toml --screening answers.toml": 4}


def commands():
    """Return the commands of the page: (words, where the output goes)."""
    text = (ROOT / "docs/therapy.md").read_text(encoding="utf-8")
    lines = [
        line
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    for part in [part for line in lines for part in line.split(" && ")]:
        words = shlex.split(part, comments=True)
        where = words[words.index(">") + 1] if ">" in words else None
        yield (words[: words.index(">")] if where else words), where


def shorten(folder):
    """Make the doses last a virtual minute: the page is about the commands."""
    for path in folder.glob("*.toml"):
        path.write_text(re.sub(r"^dose_ma_min = \d+", "dose_ma_min = 1.5", path.read_text(), flags=re.MULTILINE))


def run(words, typed, where):
    """Run one command with `typed` at the terminal; return its exit code."""
    stdin = io.StringIO(typed)
    stdin.isatty = lambda: bool(typed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", stdin)
        patch.setattr(common, "is_terminal", lambda: bool(typed))
        if where is None:
            return cli.main(words[1:])
        with open(where, "w") as file, contextlib.redirect_stdout(file):
            return cli.main(words[1:])


def begin(folder):
    """Begin a bench session of 20 virtual minutes, and let it come to its current."""
    path = str(folder / "bench.toml")
    for words in (["dose", "new", path, *BENCH], ["dose", "push", path], ["start"]):
        assert cli.main(words) == 0
    with simulators.connect(None) as pico:
        pico.wait(current_above_ua=1_900, for_us=500_000, timeout_s=CEILING_S)


@pytest.mark.hazard("HAZ-36")
def test_every_command_of_the_therapy_page(shop, capsys, monkeypatch):
    """From the dose file to the page of a course."""
    folder = shop / "work"
    shutil.copytree(ROOT / "examples", folder / "examples")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("IONTO_LOGS", str(shop / "logs"))
    ran = 0
    with simulator(shop, "--bench-strap"):
        assert cli.main(["flash"]) == 0
        for words, where in commands():
            line = shlex.join(words)
            if line == "ionto comfort tingling":  # the page speaks of a session that runs
                begin(folder)
            code = run(words, TYPED.get(line, ""), where)
            assert words[0] == "ionto" and code == CODES.get(line, 0), f"{line}: exit {code}\n{capsys.readouterr()}"
            if line == "ionto comfort pain":
                assert cli.main(["monitor"]) == 0 and "pain" in capsys.readouterr().out
            shorten(folder)
            ran += 1
    assert ran >= 18 and set(TYPED) | set(CODES) <= {shlex.join(words) for words, _ in commands()}
    assert "1 of 6" in (folder / "course-B-1-1.html").read_text()
