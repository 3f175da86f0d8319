"""verification/README.md says what each of its folders is for."""

from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "verification" / "README.md"


def test_each_folder_has_its_line() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| [")]
    folders = sorted(path.parent.name for path in PAGE.parent.glob("*/__init__.py"))
    assert sorted(row.removeprefix("| [").split("/]")[0] for row in rows) == folders


def test_what_starts_each_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in ("campaign", "hazards", "benchmarks"):
        assert f"-m verification.{name}" in makefile
        assert (PAGE.parent / name / "__main__.py").exists()
