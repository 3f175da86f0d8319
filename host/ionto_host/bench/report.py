"""The verification report of one board: one page of HTML that needs nothing else, made from the record of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ionto.version import FIRMWARE_VERSION
from ionto_host import pages, wholefile
from ionto_host.bench import figures, history, record
from ionto_host.bench.benchfile import SIMULATED
from ionto_host.bench.history import Drift
from ionto_host.device.messages import calibration_words
from ionto_host.logs.report import Fact
from ionto_host.units import clock, printable, signed_percent, utc

_TEMPLATE = Path(__file__).with_name("report.html.j2")
SAFETY = (
    "For bench work, teaching and research. IontoPico is not a cleared medical device. This page records what one "
    "board did on one bench with a resistor; it is no approval, it says nothing about another board or a later day, "
    "and nobody may be connected because of it. What the bench could not do was not tested, and is listed as not run."
)
_KINDS = {"virtual": "a virtual Pico", "emulated": "an emulated Pico", "bench": "a board"}
_BY_SET_POINT = ("test_accuracy",)


def write(run: Mapping[str, Any], source: Path, target: Path, before: Sequence[Mapping[str, Any]] = ()) -> None:
    """Write the report of the record `run`, read from `source`, to `target`; `before` are the board's earlier ones."""
    wholefile.write(target, page(run, source.name, before))


def page(run: Mapping[str, Any], source: str, before: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return the report as HTML. `MissingPartError` without matplotlib."""
    from markupsafe import Markup

    drawn = [
        (
            "Errors of the current by load; the shaded band is what is allowed, the meter's own uncertainty included.",
            figures.accuracy(run),
        ),
        ("Whole doses as the independent meter saw them; dashed the set-point.", figures.courses(run)),
    ]
    port = run.get("bench", {}).get("port", "")
    results = [_result(result) for result in run["results"]]
    return pages.render(
        _TEMPLATE,
        title=f"Board {history.board_of(run)}",
        bench_name=printable(str(run.get("bench", {}).get("name", "?"))),
        kind=_KINDS.get(port if port in SIMULATED else str(run["tier"]), "a board"),
        simulated=port in SIMULATED,
        began=f"{utc(run['began_unix_s'])} UTC",
        duration=f"{clock(run['duration_s'])} min:s",
        record=run,
        sound=run["sha256"] == record.signature(run),
        calibrated=run.get("calibration", {}).get("state") == "kept",
        failed=[result for result in results if result["outcome"] == "failed"],
        lacking=[result for result in results if result["outcome"] == "skipped"],
        facts=_facts(run),
        figures=[{"caption": caption, "svg": Markup(svg)} for caption, svg in drawn if svg],
        accuracy=_accuracy(run["rows"]),
        groups=_groups(run),
        results=results,
        instruments=_instruments(run),
        board=_board(run),
        drift=[_drift(line) for line in history.drift(run, before)],
        source=source,
        safety=SAFETY,
        version=FIRMWARE_VERSION,
    )


def _result(result: Mapping[str, Any]) -> dict[str, Any]:
    name = str(result["test"])
    variant = name.partition("[")[2].rstrip("]")
    lines = [printable(line) for line in str(result["reason"]).splitlines() if line.strip()][:6]
    title = str(result["title"]).rstrip(".")
    heading = f"{title} ({variant})" if variant else title
    return {**result, "heading": heading, "lines": lines, "reason": printable(str(result["reason"]))}


def _facts(run: Mapping[str, Any]) -> list[Fact]:
    ends = [result["outcome"] for result in run["results"]]
    passed, ran = ends.count("passed"), len(ends) - ends.count("skipped")
    facts = [
        Fact(
            f"{passed} of {ran}",
            "",
            "tests passed",
            f"{ends.count('skipped')} not run" if ran < len(ends) else "none left out",
        )
    ]
    for quantity, name, unit in (
        (record.FLOWS, "current, worst error", "uA"),
        ("charge by the meter less the dose", "charge of a dose, error", "%"),
        ("current goes on for", "current after a cut, longest", "ms"),
        ("period, greatest, by the board", "control period, greatest", "us"),
    ):
        facts.append(_worst(run["rows"], quantity, name, unit))
    return facts


def _worst(rows: Sequence[Mapping[str, Any]], quantity: str, name: str, unit: str) -> Fact:
    """Return the value of `quantity` that is nearest to its limit, or beyond it."""
    mine = [row for row in rows if row["quantity"] == quantity]
    if not mine:
        return Fact("?", "", name, "not measured")
    worst = max(mine, key=_part_of_limit)
    return Fact(
        f"{worst['value']:.4g}", unit, name, f"{record.limits_words(worst['low'], worst['high'])}{_where(worst)}"
    )


def _part_of_limit(row: Mapping[str, Any]) -> float:
    limit = row["high"] if row["value"] >= 0 or row["low"] is None else row["low"]
    return abs(row["value"] / limit) if limit else abs(row["value"])


def _where(row: Mapping[str, Any]) -> str:
    at = row["conditions"]
    if "set_ua" not in at:
        return ""
    load = f", {at['load_ohm'] / 1000:g} kohm" if "load_ohm" in at else ""
    return f"; at {at['set_ua'] / 1000:g} mA{load}"


def _in_accuracy(row: Mapping[str, Any]) -> bool:
    return row["quantity"] in (record.FLOWS, record.READS) and str(row["test"]).startswith(_BY_SET_POINT)


def _accuracy(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the accuracy table: a line for each test, load and current, from its two rows."""
    pairs: dict[tuple[Any, ...], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        if _in_accuracy(row):
            at = row["conditions"]
            pairs.setdefault((at["load_ohm"], at["set_ua"], row["test"]), {})[row["quantity"]] = row
    return [_accuracy_line(key, pair) for key, pair in sorted(pairs.items()) if len(pair) == 2]


def _accuracy_line(key: tuple[Any, ...], pair: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    flows, reads = pair[record.FLOWS], pair[record.READS]
    seen = flows["seen"]
    return {
        "load": f"{key[0]:g}",
        "set": f"{key[1] / 1_000:.3f}",
        "meter": f"{seen['meter_ua'] / 1_000:.4f}",
        "board": f"{seen['board_ua'] / 1_000:.4f}",
        "flows": f"{flows['value']:+.2f}",
        "reads": f"{reads['value']:+.2f}",
        "limit": f"{flows['high']:.2f}",
        "uncertainty": f"{seen['meter_uncertainty_ua']:.2f}",
        "passed": flows["passed"] and reads["passed"],
    }


def _groups(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows beside the accuracy table by test, and the logs of all of them as one line."""
    rows = [row for row in run["rows"] if not _in_accuracy(row) and row["quantity"] != record.LOGS]
    groups = [
        {"title": result["heading"], "rows": [_row(row) for row in rows if row["test"] == result["test"]]}
        for result in map(_result, run["results"])
    ]
    logs = [row for row in run["rows"] if row["quantity"] == record.LOGS]
    if logs:
        bad, pulled = sum(row["value"] for row in logs), sum(row["seen"]["pulled"] for row in logs)
        whole = {**logs[0], "value": bad, "seen": {"pulled and verified after each test": pulled}, "passed": not bad}
        groups.append({"title": "Logs of all sessions", "rows": [_row(whole)]})
    return [group for group in groups if group["rows"]]


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    said = not row["unit"] and row["low"] == row["high"] == 1  # a question of yes or no
    at = ", ".join(_condition(name, value) for name, value in row["conditions"].items())
    beside = ", ".join(_condition(name, value) for name, value in row["seen"].items())
    return {
        "quantity": row["quantity"],
        "at": printable("; ".join(part for part in (at, beside) if part)),
        "value": ("yes" if row["value"] else "no") if said else f"{row['value']:.5g} {row['unit']}".strip(),
        "limits": "yes" if said else record.limits_words(row["low"], row["high"]),
        "passed": row["passed"],
    }


_UNITS = {"ma": "mA", "ua": "uA", "ms": "ms", "us": "us", "ohm": "ohm"}


def _condition(name: str, value: Any) -> str:
    """Return a condition in human units: ("set_ua", 2000) as "2 mA", ("acting_ms", 8.0) as "acting 8 ms"."""
    if name == "set_ua":
        return f"{value / 1_000:g} mA"
    if name == "load_ohm":
        return f"{value / 1_000:g} kohm"
    if name == "ramp_ms":
        return f"ramp {value / 1_000:g} s"
    if name == "dose_uc":
        return f"dose {value / 60_000:g} mA\u00b7min"
    words, _, unit = name.rpartition("_")
    number = f"{value:g}" if isinstance(value, float) else str(value)
    return (
        f"{words.replace('_', ' ')} {number} {_UNITS[unit]}" if unit in _UNITS else f"{name.replace('_', ' ')} {number}"
    )


def _instruments(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    meter, bench = run.get("meter", {}), run.get("bench", {})
    if not meter:
        return [("", "The run ended before the bench was there.")]
    uncertainty = f"{meter['uncertainty_ppm'] / 1e4:g} % and {meter['uncertainty_ua']:g} uA"
    rows = [
        ("meter", meter["name"]),
        ("which is", meter["identification"]),
        ("range", f"{meter['range_ua'] / 1_000:g} mA"),
        ("uncertainty", uncertainty),
        ("meter's zero", f"{run['meter_zero_ua']:+.2f} uA, taken off" if "meter_zero_ua" in run else "not taken"),
        ("bench can", ", ".join(bench.get("capabilities", []))),
        *((name.replace("_", " "), value) for name, value in run.get("room", {}).items()),
    ]
    return [(name, printable(str(value))) for name, value in rows]


def _board(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    board = run.get("board", {})
    names = (("board_id", "board"), ("variant", "variant"), ("firmware", "firmware"), ("micropython", "MicroPython"))
    rows = [(name, board.get(field, "?")) for field, name in names]
    rows += [
        ("firmware's files (SHA-256)", run.get("firmware_sha256", "not known: no log was pulled")),
        ("calibration", calibration_words(run.get("calibration", {}))),
        ("ionto", f"{run['host']['ionto']}, Python {run['host']['python']}"),
    ]
    return [(name, printable(str(value))) for name, value in rows]


def _drift(line: Drift) -> dict[str, str]:
    return {
        "date": f"{utc(line.began_unix_s)} UTC",
        "meter": printable(line.meter),
        "calibration": printable(line.calibration),
        "count": str(line.count),
        "mean": "" if line.mean_ppm is None else signed_percent(line.mean_ppm),
        "greatest": "" if line.greatest_ppm is None else signed_percent(line.greatest_ppm),
    }
