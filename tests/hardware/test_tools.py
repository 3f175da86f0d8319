"""What `make hardware` installs, and what it says where it cannot."""

from pathlib import Path

import pytest

from hardware.exports import tools
from hardware.exports.tools import Source, find_source

DEB822 = """Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/archive.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""
ONE_LINE = """# comment
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=/key.gpg] http://mirror.example/debian bookworm main contrib
"""
BACKPORTS = "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm-backports\nComponents: main\n"


def test_backports_are_derived_from_a_deb822_source() -> None:
    source = find_source([("debian.sources", DEB822)], "bookworm")
    assert source is not None
    assert source.backports("bookworm") == BACKPORTS + "Signed-By: /usr/share/keyrings/archive.gpg\n"


def test_backports_are_derived_from_a_line() -> None:
    source = find_source([("sources.list", ONE_LINE)], "bookworm")
    assert source == Source("http://mirror.example/debian", ("bookworm",), "main contrib", "/key.gpg")


def test_no_source_of_the_release() -> None:
    assert find_source([("debian.sources", DEB822), ("sources.list", ONE_LINE)], "trixie") is None


def test_disabled_source_is_not_used() -> None:
    assert find_source([("x.sources", DEB822.replace("Types: deb\n", "Types: deb\nEnabled: no\n"))], "bookworm") is None


def test_elsewhere_it_stops_with_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(tools.ToolError, match=r"missing: kicad-cli, ngspice, rsvg-convert.*brew install"):
        tools.ensure()


def test_old_kicad_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "kicad_major", lambda: 6)
    assert "kicad-cli" in tools.missing()


def test_nothing_is_missing_after_make_hardware() -> None:
    assert tools.missing() == []
