"""Collects what the tests of a run say into its record, in the one process that sees all of them."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ionto.version import FIRMWARE_VERSION
from ionto_host.bench import TIERS, record


class Recorder:
    """Registered as a plugin where a record is asked for. A run on several tiers has one record for each."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._path = Path(str(config.getoption("ionto_record")))
        self._began = time.time()
        self._titles: dict[str, dict[str, Any]] = {}
        self._tiers: dict[str, dict[str, Any]] = {}
        self._results: dict[str, dict[str, Any]] = {}
        self._left_out: set[str] = set()
        self._done: set[str] = set()  # torn down as well
        self.written: list[Path] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep what each test says about itself."""
        self._keep(items)

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Keep what was left out on purpose: a part of the suite must not look like all of it."""
        self._keep(items)
        self._left_out.update(item.nodeid for item in items)

    def _keep(self, items: Sequence[pytest.Item]) -> None:
        for item in items:
            doc = getattr(getattr(item, "function", None), "__doc__", None) or item.name
            hazards = [str(key) for marker in item.iter_markers("hazard") for key in marker.args]
            tier = getattr(getattr(item, "callspec", None), "params", {}).get("ionto_tier", "")
            self._titles[item.nodeid] = {"title": doc.strip().split("\n")[0], "hazards": hazards, "tier": tier}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the outcome, with the worst of set-up, call and tear-down, and all that was measured."""
        about = self._titles.get(report.nodeid, {"title": report.nodeid, "hazards": [], "tier": ""})
        result = self._results.setdefault(
            report.nodeid,
            {"test": _short(report.nodeid), **about, "outcome": "passed", "reason": "", "duration_s": 0.0},
        )
        result["duration_s"] = round(result["duration_s"] + report.duration, 2)
        if report.outcome != "passed" and result["outcome"] != "failed":
            result["outcome"], result["reason"] = report.outcome, _reason(report)
        if report.when == "teardown":
            self._done.add(report.nodeid)
            self._take(result, report)

    def _take(self, result: dict[str, Any], report: pytest.TestReport) -> None:
        body = self._tiers.setdefault(result["tier"], {"facts": {}, "rows": [], "series": [], "results": []})
        for name, value in report.user_properties:
            if name == record.ROW:
                body["rows"].append({"test": result["test"], **json.loads(str(value))})
            elif name == record.SERIES:
                body["series"].append({"test": result["test"], **json.loads(str(value))})
            elif name == record.FACTS:
                body["facts"].update(json.loads(str(value)))
        body["results"].append(result)

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None, object, object]:
        """Write the records, once everything is torn down."""
        try:
            return (yield)
        finally:
            if not hasattr(self._config, "workerinput"):  # pytest-xdist: the controller does it
                self._write(_stopped(session, exitstatus))

    def _write(self, stopped: str) -> None:
        self._add_not_run(stopped)
        tiers = {tier: body for tier, body in self._tiers.items() if tier}
        for tier, body in tiers.items():
            path = self._path if len(tiers) == 1 else self._path.with_stem(f"{self._path.stem}-{tier}")
            record.write(self._record(tier, body, stopped), path)
            self.written.append(path)

    def _add_not_run(self, stopped: str) -> None:
        for nodeid, about in self._titles.items():
            if nodeid not in self._done and about["tier"] in self._tiers:
                reason = (
                    "left out of this run" if nodeid in self._left_out else f"not run: {stopped or 'the run ended'}"
                )
                rest = {"outcome": "skipped", "reason": reason, "duration_s": 0.0}
                self._tiers[about["tier"]]["results"].append({"test": _short(nodeid), **about, **rest})

    def _record(self, tier: str, body: dict[str, Any], stopped: str) -> dict[str, Any]:
        outcomes = [result["outcome"] for result in body["results"]]
        return {
            "kind": record.KIND,
            "schema": record.SCHEMA,
            "tier": tier,
            "began_unix_s": round(self._began),
            "duration_s": round(time.time() - self._began, 1),
            "host": {"ionto": FIRMWARE_VERSION, "python": platform.python_version(), "system": platform.platform()},
            "passed": bool(outcomes) and "failed" not in outcomes and "passed" in outcomes and not stopped,
            "stopped": stopped,
            **body["facts"],
            **{name: body[name] for name in ("results", "rows", "series")},
        }

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say where the records are."""
        for path in self.written:
            terminalreporter.write_line(f"record: {path}")


def _stopped(session: pytest.Session, exitstatus: int) -> str:
    """Return why the run did not come to its end, "" when it did."""
    if session.shouldstop or session.shouldfail:
        return str(session.shouldstop or session.shouldfail)
    if exitstatus == pytest.ExitCode.INTERRUPTED:
        return "interrupted"
    ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    return "" if ended else f"pytest ended with code {int(exitstatus)}"


def _short(nodeid: str) -> str:
    """Return the test's name without its file and tier, the same on every tier."""
    name = nodeid.rpartition("::")[2]
    for tier in TIERS:
        name = name.replace(f"[{tier}]", "").replace(f"[{tier}-", "[").replace(f"-{tier}]", "]")
    return name


def _reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash is not None else report.longrepr or "")
    return text.partition("\nassert ")[0].removeprefix("Failed: ").removeprefix("AssertionError: ").strip()
