"""What `make hardware` installs, and what it says where it cannot."""

import shutil
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


APT_GET = """#!/bin/sh
echo "$*" >> {folder}/said
case "$*" in
*update*) [ -e {folder}/free ] || {{ touch {folder}/free; echo "E: Could not get lock {lists}" >&2; exit 100; }} ;;
*install*) for name in kicad-cli ngspice rsvg-convert; do
  printf '#!/bin/sh\\necho 9.0.8\\n' > {folder}/$name; chmod +x {folder}/$name; done ;;
esac
"""


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with apt and nothing else; its apt-get meets a lock once and writes to `said` what it was asked."""
    scripts = {
        "apt-get": APT_GET.format(folder=tmp_path, lists="/var/lib/apt/lists/lock"),
        "apt-cache": "#!/bin/sh\necho 'Candidate: 9.0.8'\n",
        "sudo": '#!/bin/sh\nexec "$@"\n',
    }
    for name, text in scripts.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    for name in ("env", "sh", "touch", "chmod"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "find_library", lambda name: name if (tmp_path / "ngspice").exists() else None)
    monkeypatch.setattr(tools, "LOCK_RETRY_S", 0.0)
    return tmp_path


def test_everything_is_installed_once_another_apt_get_is_through(bare_machine: Path) -> None:
    tools.ensure()
    wait = "-qq -o DPkg::Lock::Timeout=300"
    names = "kicad kicad-symbols ngspice librsvg2-bin libngspice0"
    assert (bare_machine / "said").read_text().splitlines() == [
        f"{wait} update",
        f"{wait} update",
        f"{wait} install --yes --no-install-recommends {names}",
    ]


def test_a_lock_that_stays_is_said(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "LOCK_WAIT_S", 0.0)
    with pytest.raises(tools.ToolError, match="apt-get update ended with 100"):
        tools.ensure()


def test_old_kicad_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "kicad_major", lambda: 6)
    assert "kicad-cli" in tools.missing()


def test_nothing_is_missing_after_make_hardware() -> None:
    assert tools.missing() == []
