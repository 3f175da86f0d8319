"""The benchmark's book-keeping: goals, what is shown as missed or not run, and how it looks at a board from outside."""

import json
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest

from verification.benchmarks import __main__ as command
from verification.benchmarks import report
from verification.benchmarks.catalogue import GROUPS, Result, Spec, at_least, at_most
from verification.benchmarks.control_loop import percentile
from verification.benchmarks.heap import Heap

FIRMWARE = Path(__file__).parents[3] / "firmware"
TIME = Spec("t", "time", "us", "how", at_most(95), "peer")
RATE = Spec("r", "rate", "kB/s", "how", at_least(400), "peer")


def test_no_row_is_listed_twice():
    keys = [spec.key for group in GROUPS.values() for spec in group.specs]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("spec", "value", "peer", "met", "ratio"),
    [(TIME, 50, 100, True, 2), (TIME, 200, 100, False, 0.5), (RATE, 400, 40, True, 10), (RATE, 399, None, False, None)],
)
def test_a_row_says_whether_it_meets_its_goal_and_how_much_better_than_the_peer_it_is(spec, value, peer, met, ratio):
    row = report.measured("emulated", spec, Result(spec.key, value, peer))
    assert (row["met"], row["ratio"]) == (met, ratio)


def test_a_missed_goal_and_what_was_not_run_are_shown(capsys):
    rows = [report.measured("emulated", TIME, Result("t", 96)), report.not_run("emulated", RATE, "no image: type this")]
    report.show(rows)
    shown = capsys.readouterr().out
    assert "MISSED" in shown
    assert "goals missed: time" in shown
    assert "not run: no image: type this" in shown
    assert "goals not looked at: rate" in shown


def test_a_group_without_an_image_is_listed_with_the_reason(tmp_path):
    rows = list(command._measure("boot", SimpleNamespace(), "no image", SimpleNamespace()))
    assert [row["key"] for row in rows] == [spec.key for spec in GROUPS["boot"].specs]
    assert {row["note"] for row in rows} == {"no image"}
    assert all(row["value"] is None and row["met"] is None for row in rows)


def test_a_group_that_fails_keeps_what_it_had_and_says_why(monkeypatch):
    def run(options):
        yield Result("ready_ms", 400.0)
        raise RuntimeError("the board is gone")

    monkeypatch.setattr("importlib.import_module", lambda name: SimpleNamespace(run=run))
    rows = list(command._measure("boot", SimpleNamespace(), "", SimpleNamespace(print=lambda *a, **k: None)))
    assert rows[0]["value"] == 400.0
    assert rows[1]["note"] == "boot: RuntimeError: the board is gone"


def test_the_document_gets_the_table_between_its_markers(tmp_path, monkeypatch):
    document, source = tmp_path / "performance.md", tmp_path / "benchmark.json"
    document.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    monkeypatch.setattr(report, "DOCUMENT", document)
    report.write_json(source, {"python": "3.10"}, [report.measured("emulated", TIME, Result("t", 1234.5, 2469))])
    assert json.loads(source.read_text())["rows"][0]["value"] == 1234.5
    report.write_document(source)
    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| time | us |  |  | 1,234 | 2,469 peer | 2.0 | at most 95 | MISSED | how |" in text
    assert "old" not in text


def test_percentiles():
    assert percentile(range(100), 99) == 99
    assert percentile([5], 99) == 5


def test_the_heap_is_found_by_its_shape():
    table, blocks = 0x20000100, 128
    pool = table + 64
    words = [0, 7, table, blocks // 4, table + blocks // 4, pool, pool + 16 * blocks, 0, 3, 0xFFFFFFFF]
    sram = bytearray(0x42000)
    sram[: 4 * len(words)] = struct.pack(f"<{len(words)}I", *words)
    sram[0x100] = 0b00_10_01_01  # one byte: three blocks used, one free
    heap = Heap(SimpleNamespace(rp2040=SimpleNamespace(sram=sram)))
    assert heap.allocated_bytes() == 48
    assert heap.free_bytes() == 16 * (blocks - 3)


def test_a_heap_of_another_shape_is_an_error():
    with pytest.raises(LookupError, match="laid out"):
        Heap(SimpleNamespace(rp2040=SimpleNamespace(sram=bytearray(0x42000))))
