"""The commands of the user guide and the examples of the API page do what the pages say, on a blank virtual Pico."""

import re
import shlex
from pathlib import Path

import pytest
from workbench import simulator

from ionto_host import cli
from ionto_host.board import calibrating

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page, language):
    """Return the code blocks of `language` on a page."""
    return re.findall(
        rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def test_the_user_guide_and_the_api_page(shop, capsys, monkeypatch):
    """In the order of the pages: flash, test, calibrate, dose, logs; then the same through Python."""
    monkeypatch.setattr(calibrating, "SETTLE_S", 0.1)
    monkeypatch.setattr(calibrating, "READING_PERIOD_S", 0.005)
    monkeypatch.setattr(calibrating, "READINGS", 12)
    monkeypatch.setenv("IONTO_LOGS", str(shop / "logs"))
    monkeypatch.setenv("XDG_DATA_HOME", str(shop / "data"))
    monkeypatch.chdir(DOCS.parent)
    lines = [line for block in blocks("user_guide.md", "sh") for line in block.splitlines()]
    examples = blocks("api.md", "python")
    assert len(lines) >= 10 and len(examples) >= 6
    with simulator(shop, "--bootsel", "--bench-strap", "--speed", "25"):
        for line in lines:
            words = shlex.split(line)
            assert words[0] == "ionto"
            assert cli.main(words[1:]) == 0, f"{line}: {capsys.readouterr()}"
        assert "complete" in capsys.readouterr().out
        space = {}
        for number, example in enumerate(examples):
            exec(compile(example, f"api.md, example {number + 1}", "exec"), space)


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_links_between_pages_and_pictures_exist(page):
    """A page that points nowhere helps nobody."""
    text = (DOCS / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text):
        assert (DOCS / target).exists(), f"{page} points to {target}"
