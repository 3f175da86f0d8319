"""Records of bench runs: signed, compared, and made into a report."""

import json

import pytest
from bench_runs import row, run_of
from click.testing import CliRunner

from ionto_host.bench import history, record, report
from ionto_host.bench.record import FLOWS, Row
from ionto_host.cli.root import root
from ionto_host.errors import IntegrityError


@pytest.fixture
def written(tmp_path):
    """Write a record; return its path."""

    def write(name="record.json", **changes):
        path = tmp_path / name
        record.write(run_of(**changes), path)
        return path

    return write


def test_a_record_is_signed_over_all_its_data(written):
    path = written()
    run = record.read(path)
    assert run["sha256"] == record.signature(run) and len(run["sha256"]) == 64
    path.write_text(path.read_text().replace("2001.0", "2000.0"))
    with pytest.raises(IntegrityError, match="was changed after it was written"):
        record.read(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "ionto bench record", "schema": 99}'])
def test_what_is_no_record(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(IntegrityError):
        record.read(path)


@pytest.mark.parametrize(
    "changes", [{"rows": None}, {"began_unix_s": "x"}, {"results": [{}]}, {"rows": [1]}, {"host": []}]
)
def test_a_signed_record_without_what_every_record_has(written, changes):
    path = written(**changes)
    with pytest.raises(IntegrityError, match=f"lacks .*{next(iter(changes))}"):
        record.read(path)


def test_a_row_is_judged_at_its_limits():
    assert Row("q", 5.0, "uA", None, 5.0).passed and not Row("q", 5.01, "uA", None, 5.0).passed
    assert Row("q", -5.0, "uA", -5.0, None).passed and not Row("q", float("nan"), "uA", 0.0, 1.0).passed
    assert "5.01 uA, at most 5" in Row("q", 5.01, "uA", None, 5.0, {"set_ua": 100}).words()


def test_two_runs_are_compared_under_the_same_conditions():
    before, after = run_of(flows=1.0), run_of(flows=17.0, outcome="failed", firmware_sha256="ab")
    after["rows"].append(row(FLOWS, 0.0, 15.5, set_ua=100, load_ohm=1_000))
    found = history.compare(before, after)
    moved = next(change for change in found.changes if change.quantity == FLOWS)
    assert (moved.change, moved.passed_before, moved.passed_after) == (16.0, True, False)
    assert found.only_after == ["test_accuracy[1000]: current that flows less set-point (set_ua 100, load_ohm 1000)"]
    assert found.outcomes == [("test_accuracy[1000]", "passed", "failed")]
    assert ("firmware", "?", "ab") in found.different


def test_drift_is_that_of_the_same_board_on_the_same_tier(written, tmp_path):
    place = tmp_path / "history"
    virtual, later = {"tier": "virtual", "began": 1_810_000_000}, {"began": 1_900_000_000}
    for index, changes in enumerate(({}, virtual, {"board": {"board_id": "e662"}}, later)):
        history.keep(written(f"{index}.json", **changes), place)
    (place / "e661-19990101-000000.bench.json").write_text("not one")
    now = run_of(flows=5.0, began=1_850_000_000)
    (line,) = history.drift(now, history.earlier(now, place))
    assert (line.count, round(line.mean_ppm), round(line.greatest_ppm)) == (1, 2_000, 2_000)


def test_the_report_says_what_was_measured_with_what(written):
    path = written(flows=16.0, outcome="failed")
    run = record.read(path)
    page = report.page(run, path.name, [run_of(flows=0.0, began=1_700_000_000)])
    for part in (
        "NOT PASSED",
        "Not calibrated",
        "dmm &lt;1&gt;",
        "bench lacks: switch stop",
        run["sha256"],
        "+0.800 %",
    ):
        assert part in page, part
    assert "not a cleared medical device" in page and "Simulated" not in page
    assert "<script" not in page and "src=" not in page and "@import" not in page and 'rel="stylesheet"' not in page


def test_the_report_of_a_run_that_measured_nothing():
    run = run_of(rows=[], series=[], results=[], board={}, meter={}, bench={}, passed=False, stopped="no port")
    run["sha256"] = "0"
    page = report.page(run, "record.json")
    assert "Record ALTERED" in page and "no port" in page and "Board unknown" in page


def test_compare_and_report_from_the_command_line(written, tmp_path):
    before, after = written("a.json", flows=1.0), written("b.json", flows=17.0, outcome="failed")
    done = CliRunner().invoke(root, ["bench", "compare", str(before), str(after)], standalone_mode=False)
    assert "now FAILS" in done.output and "passed -> failed" in done.output
    done = CliRunner().invoke(root, ["bench", "report", str(after), "--history", str(tmp_path), "--json"])
    assert json.loads(done.output)["passed"] is False
    assert "NOT PASSED" in (tmp_path / "b.html").read_text()
