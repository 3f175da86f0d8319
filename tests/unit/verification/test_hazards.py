"""`make trace`: the page is read, unknown ids are refused, results belong to the sources, what is missing is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from verification.campaign import rows
from verification.fmea import causes
from verification.hazards import __main__ as command
from verification.hazards import document, matrix, record

pytest_plugins = ("pytester",)

ROOT = Path(__file__).parents[3]
PAGE = """\
# Hazards

### HAZ-01 It burns

- **Cause:** a slip
  of the hand.
- **Harm:** S3, a burn.
- **Hardware:** a limiter.
- **Firmware:** a guard.
- **Residual risk:** low.
- **Tests:** none

Prose.

### HAZ-02 It hurts

- **Cause:** a step.
- **Harm:** S2, pain.
- **Hardware:** none.
- **Firmware:** a ramp.
- **Residual risk:** low.
- **Tests:**
  - unit/test_old.py: `test_gone`,
    `test_gone_too`

## As a whole
"""
TEST = """
import pytest

@pytest.mark.hazard("HAZ-01")
def test_guard(): pass

@pytest.mark.hazard("HAZ-01", "HAZ-02")
@pytest.mark.parametrize("n", [1, 2])
def test_ramp(n): assert n == 1

def test_other(): pass
"""


def test_the_hazard_file_is_complete() -> None:
    hazards = document.read(ROOT)
    assert 25 <= len(hazards) <= 40
    assert document.problems(hazards) == []


def test_every_id_in_the_documents_exists() -> None:
    known = {hazard.key for hazard in document.read(ROOT)}
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("**/*.md")]:
        assert set(re.findall(r"HAZ-\d+", page.read_text(encoding="utf-8"))) <= known, page


def test_a_page_is_read() -> None:
    first, second = document.parse(PAGE)
    assert (first.key, first.title, first.severity, first.line) == ("HAZ-01", "It burns", "S3", 3)
    assert first.fields["Cause"] == "a slip of the hand."
    assert first.mitigations == ("Hardware", "Firmware")
    assert second.mitigations == ("Firmware",)
    assert second.fields["Residual risk"] == "low."


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("- **Cause:** a step.\n", "", "HAZ-02 has no field Cause"),
        ("Cause:** a step", "Reason:** a step", "HAZ-02 has the unknown field Reason"),
        ("S2, pain", "pain", "HAZ-02: Harm has to begin with one of S1, S2, S3"),
        ("a ramp.", "none so far.", "HAZ-02 has no mitigation"),
        ("a ramp.", "", "HAZ-02: Firmware says nothing"),
        ("HAZ-02 ", "HAZ-01 ", "HAZ-01 stands twice in docs/hazards.md"),
    ],
)
def test_what_a_page_lacks_is_named(old: str, new: str, problem: str) -> None:
    assert document.problems(document.parse(PAGE)) == []
    assert problem in document.problems(document.parse(PAGE.replace(old, new)))


def test_the_tests_of_a_page_are_replaced_and_nothing_else() -> None:
    nodes = ["tests/unit/test_a.py::test_x[1]", "tests/unit/test_a.py::test_x[2]", "tests/virtual/test_b.py::test_y"]
    tests = {"HAZ-01": nodes, "HAZ-02": [nodes[1], nodes[2]]}
    text = document.with_tests(PAGE, tests)
    assert "- **Tests:**\n  - unit/test_a.py: `test_x`\n  - virtual/test_b.py: `test_y`\n\nProse." in text
    assert "- **Tests:**\n  - unit/test_a.py: `test_x[2]`\n  - virtual/test_b.py: `test_y`\n\n## As a whole" in text
    assert document.with_tests(text, tests) == text
    assert "- **Tests:** none\n\n## As a whole" in document.with_tests(text, {"HAZ-01": nodes})
    assert [h.fields["Cause"] for h in document.parse(text)] == [h.fields["Cause"] for h in document.parse(PAGE)]


def judged(results: dict[str, str], **more: list[str]) -> list[list[str]]:
    """Return the problems of each hazard of `PAGE` after these results."""
    marked = {"tests/unit/t.py::a": ["HAZ-01"], "tests/unit/t.py::b": ["HAZ-01", "HAZ-02"], **more}
    known = record.Record("", results, marked, ["tests/unit/"])
    return [row.problems() for row in matrix.rows(document.parse(PAGE), known)]


def test_a_hazard_is_proven_when_every_test_of_it_ran_and_passed() -> None:
    assert judged({"tests/unit/t.py::a": "passed", "tests/unit/t.py::b": "passed"}) == [[], []]


@pytest.mark.parametrize(
    ("outcome", "words"), [("failed", "did not pass"), ("skipped", "skipped"), ("not run", "not run")]
)
def test_a_test_that_did_not_pass_is_named(outcome: str, words: str) -> None:
    results = {"tests/unit/t.py::a": "passed", "tests/unit/t.py::b": outcome}
    if outcome == "not run":
        del results["tests/unit/t.py::b"]
    assert judged(results) == [[f"HAZ-01: tests/unit/t.py::b {words}"], [f"HAZ-02: tests/unit/t.py::b {words}"]]


def test_what_needs_a_board_may_be_missing_but_must_not_fail() -> None:
    """A test outside `make test` adds to the proof; alone it is none."""
    passed = {"tests/unit/t.py::a": "passed", "tests/unit/t.py::b": "passed"}
    bench = {"tests/bench/t.py::c": ["HAZ-02"]}
    assert judged(passed, **bench) == [[], []]
    failed = {**passed, "tests/bench/t.py::c": "failed"}
    assert judged(failed, **bench) == [[], ["HAZ-02: tests/bench/t.py::c did not pass"]]
    known = record.Record("", {"tests/bench/t.py::c": "passed"}, bench, ["tests/unit/"])
    rows = matrix.rows(document.parse(PAGE), known)
    assert [row.problems() for row in rows] == [[f"HAZ-0{n} has no test that `make test` runs"] for n in (1, 2)]


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with two hazards and the tests of `TEST`."""
    for name, text in {"docs/hazards.md": PAGE, "tests/unit/test_it.py": TEST}.items():
        path = pytester.path / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    pytester.makeini("[pytest]\ntestpaths = tests/unit\n")
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest with the plugin, in this process."""
    return project.runpytest_inprocess("-p", "verification.hazards.plugin", "-p", "no:cacheprovider", *arguments)


def test_every_run_adds_its_results_and_unproven_runs_the_rest(project: pytest.Pytester) -> None:
    root = project.path
    run(project, "-k", "guard or other").assert_outcomes(passed=2, deselected=2)
    node = "tests/unit/test_it.py::test_"
    assert record.read(root).results == {node + "guard": "passed", node + "other": "passed"}
    run(project, "--unproven").assert_outcomes(passed=1, failed=1, deselected=2)
    known = record.read(root)
    assert known.results[node + "ramp[1]"] == "passed"
    assert known.results[node + "ramp[2]"] == "failed"
    assert known.marked[node + "ramp[1]"] == ["HAZ-01", "HAZ-02"]
    assert known.unproven() == []
    (root / "tests" / "unit" / "test_it.py").write_text(TEST + "\n")
    assert record.read(root).results == {}, "results are those of other sources now"


def test_nothing_is_recorded_of_sources_that_change_under_the_run(project: pytest.Pytester) -> None:
    path = project.path / "tests/unit/test_it.py"
    path.write_text(f"def test_edit():\n    open({str(path)!r}, 'a').write('#')\n")
    run(project).stdout.fnmatch_lines(["*not written: the sources changed while the tests ran"])
    assert not (project.path / record.RECORD).exists()


@pytest.mark.parametrize("marker", ['("HAZ-77")', ""])
def test_an_unknown_hazard_fails_the_run(project: pytest.Pytester, marker: str) -> None:
    path = project.path / "tests/unit/test_it.py"
    path.write_text(f"import pytest\n\n@pytest.mark.hazard{marker}\ndef test_x(): pass\n")
    result = run(project)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: tests/unit/test_it.py::test_x: *"])


def test_set_up_and_tear_down_count(project: pytest.Pytester) -> None:
    """A test that is skipped or expected to fail proves nothing; the marks are those of the project that is judged."""
    path = project.path / "tests/unit/test_it.py"
    path.write_text(
        "import pytest\n\n@pytest.fixture\ndef broken():\n    yield\n    raise OSError\n\n"
        "def test_after(broken): pass\n\n@pytest.mark.xfail\ndef test_expected(): assert False\n\n"
        "@pytest.mark.skip\ndef test_skipped(): pass\n"
    )
    run(project)
    results = record.read(project.path).results
    assert list(results.values()) == ["failed", "skipped", "skipped"]


def test_the_command_judges_and_keeps_the_page(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.path)
    monkeypatch.setattr(command, "_pytest", lambda *arguments: run(project, *arguments))
    monkeypatch.setattr(causes, "parts", dict)
    monkeypatch.setattr(rows, "marked", lambda: {"verification/campaign/catalogue.py::f[HOLD]": ["HAZ-01"]})
    first = CliRunner().invoke(command.main)
    assert first.exit_code == 1
    assert "HAZ-02: tests/unit/test_it.py::test_ramp[2] did not pass" in first.output
    assert "docs/hazards.md does not list the tests that carry its ids" in first.output
    assert "passed: campaign 0 of 1, unit 2 of 3" in first.output
    (project.path / "tests/unit/test_it.py").write_text(TEST.replace("n == 1", "n"))
    second = CliRunner().invoke(command.main, ["--write"])
    assert (second.exit_code, second.stderr) == (0, "")
    assert "  - unit/test_it.py: `test_guard`, `test_ramp`\n" in (project.path / document.DOCUMENT).read_text()
    assert record.read(project.path).results == {}, "writing the page runs no test"
    third = CliRunner().invoke(command.main)
    assert (third.exit_code, third.stderr) == (0, "")


def test_the_page_names_the_parts_that_cause_a_hazard() -> None:
    text = document.with_parts(PAGE, {"HAZ-01": ["Q2", "R14"]})
    assert "- **Parts:** Q2, R14\n- **Tests:**" in text
    assert document.with_parts(text, {"HAZ-01": ["Q2", "R14"]}) == text
    assert document.with_parts(text, {}) == PAGE
    assert document.parse(text)[0].fields["Parts"] == "Q2, R14"
