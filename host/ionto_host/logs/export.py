"""A session log in the formats of other programs: CSV, JSON, Parquet, InfluxDB line protocol; units in the names."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TextIO

from ionto import sessionlog_format as layout
from ionto_host.errors import MissingPartError, UsageError
from ionto_host.logs import knowledge
from ionto_host.logs.records import Sample
from ionto_host.logs.sessionfile import Event, Session, has_current, has_load_voltage, load_kohm, state_name, summary
from ionto_host.units import ma_min

SAMPLE_COLUMNS = (
    "time_s",
    "state",
    "setpoint_ma",
    "current_mean_ma",
    "current_min_ma",
    "current_max_ma",
    "second_mean_ma",
    "load_v",
    "load_max_v",
    "load_kohm",
    "charge_ma_min",
    "contact_limited",
)
CSV_COLUMNS = (*SAMPLE_COLUMNS, "event")
_US_TO_NS = 1_000_000


def sample_row(sample: Sample) -> dict[str, Any]:
    """Return `sample` under the names of `SAMPLE_COLUMNS`; what means nothing without (steady) current is None."""
    load = load_kohm(sample)
    values = (
        sample.t_ms / 1_000,
        state_name(sample.state),
        sample.setpoint_ua / 1_000,
        sample.current_mean_ua / 1_000,
        sample.current_min_ua / 1_000,
        sample.current_max_ua / 1_000,
        sample.second_mean_ua / 1_000 if sample.second_mean_ua or not has_current(sample) else None,
        sample.load_mv / 1_000 if has_load_voltage(sample) else None,
        sample.load_max_mv / 1_000 if has_current(sample) else None,
        None if load is None else round(load, 3),
        round(ma_min(sample.charge_uc), 6),
        bool(sample.flags & layout.SAMPLE_LIMITED),
    )
    return dict(zip(SAMPLE_COLUMNS, values, strict=True))


def event_row(event: Event) -> dict[str, Any]:
    """Return `event` with its time, words and raw numbers."""
    numbers = {"code": event.code, "value_a": event.value_a, "value_b": event.value_b}
    return {"time_s": event.t_ms / 1_000, "event": event.describe(), "kind": event.name, **numbers}


def write_csv(session: Session, out: TextIO) -> None:
    """Write samples and events to `out` as CSV in order of time.

    An event stands in a row of its own, with its time and its description only. What the log does not know of its
    session stands first, in the column of the events.
    """
    writer: csv.DictWriter[str] = csv.DictWriter(out, CSV_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({"event": text} for text in knowledge.told(session))
    writer.writerows(_seen_rows(session))
    rows: list[tuple[int, dict[str, Any]]] = [(item.t_ms, sample_row(item)) for item in session.samples]
    rows += [(item.t_ms, {"time_s": item.t_ms / 1_000, "event": item.describe()}) for item in session.events]
    for _, row in sorted(rows, key=lambda pair: pair[0]):
        row["contact_limited"] = int(row["contact_limited"]) if "contact_limited" in row else ""
        writer.writerow(row)


def _seen_rows(session: Session) -> list[dict[str, Any]]:
    """Return the looks of a host that watched as events: no column of what was measured has them."""
    looks = session.watched.looks if session.watched else []
    return [
        {
            "time_s": look.elapsed_ms / 1_000,
            "event": f"seen by the host: {state_name(look.state)}, {look.current_ua / 1_000:g} mA, "
            f"{ma_min(look.charge_uc):.3f} mA*min",
        }
        for look in looks
    ]


def write_json(session: Session, out: TextIO) -> None:
    """Write the whole session to `out` as one JSON document: summary, header, test, samples, events, end."""
    body = {
        "summary": summary(session),
        "not_known": knowledge.told(session),
        **({"watched": session.watched.data()} if session.watched else {}),
        "header": session.header,
        "test": session.test,
        "samples": [sample_row(item) for item in session.samples],
        "events": [event_row(item) for item in session.events],
        "end": session.end,
    }
    json.dump(body, out, indent=1, ensure_ascii=False)
    out.write("\n")


def write_influx(session: Session, out: TextIO) -> None:
    """Write the session's summary, samples and events to `out` in InfluxDB's line protocol, times in ns since 1970.

    Raises `UsageError` when the clock of the board was not set and no host watched, so that the session has no date.
    """
    start_s, _ = session.dated
    if start_s is None:
        raise UsageError(
            "the clock of the board was not set, so this session has no date",
            "Export as csv, json or parquet instead; `ionto clock set` before the next session.",
        )
    tags = _influx_tags(session)
    for line in _influx_lines(session, tags, start_s * 1_000):
        out.write(line + "\n")


_IN_TAGS = ("board_id", "log_id", "started_unix_s")  # or in the time of the line


def _influx_tags(session: Session) -> str:
    board, log_id = session.header.get("board_id"), session.header.get("log")
    tags = {"board": board, "log": log_id}
    return "".join(f",{name}={_escaped(str(value))}" for name, value in tags.items() if value not in (None, ""))


def _influx_lines(session: Session, tags: str, start_ms: int) -> Iterator[str]:
    facts = {name: value for name, value in summary(session).items() if type(value) in (bool, int, float, str)}
    facts |= {"flaws": ", ".join(session.flaws)} if session.flaws else {}
    fields = [f"{name}={_influx_value(value)}" for name, value in facts.items() if name not in _IN_TAGS]
    yield f"ionto_session{tags} {','.join(fields)} {start_ms * _US_TO_NS}"
    for item in session.samples:
        row = sample_row(item)
        del row["time_s"]
        fields = [f"{name}={_influx_value(value)}" for name, value in row.items() if value is not None]
        yield f"ionto_sample{tags} {','.join(fields)} {(start_ms + item.t_ms) * _US_TO_NS}"
    for item in session.events:
        fields = f"text={_influx_value(item.describe())},code={item.code}i,a={item.value_a}i,b={item.value_b}i"
        yield f"ionto_event{tags},kind={_escaped(item.name)} {fields} {(start_ms + item.t_ms) * _US_TO_NS}"


def _escaped(text: str) -> str:
    plain = "".join(letter if letter.isprintable() else "_" for letter in text)
    return plain.replace("\\", "_").replace(" ", "\\ ").replace(",", "\\,").replace("=", "\\=")


def _influx_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
    return repr(value)


def write_parquet(session: Session, out: BinaryIO) -> None:
    """Write the samples to `out` as a Parquet file, everything else as JSON in its metadata `ionto`.

    Raises `MissingPartError` without pyarrow.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        action = 'Install it: pip install "iontopico[parquet]"'
        raise MissingPartError("Parquet needs pyarrow", action) from error
    rows = [sample_row(item) for item in session.samples]
    kinds = {"state": pyarrow.string(), "contact_limited": pyarrow.bool_()}
    columns = [
        pyarrow.array([row[name] for row in rows], type=kinds.get(name, pyarrow.float64())) for name in SAMPLE_COLUMNS
    ]
    about = {
        "summary": summary(session),
        "not_known": knowledge.told(session),
        **({"watched": session.watched.data()} if session.watched else {}),
        "header": session.header,
        "test": session.test,
        "end": session.end,
        "events": [event_row(item) for item in session.events],
    }
    table = pyarrow.table(columns, names=list(SAMPLE_COLUMNS))
    pyarrow.parquet.write_table(table.replace_schema_metadata({"ionto": json.dumps(about)}), out)


_TEXT: dict[str, Callable[[Session, TextIO], None]] = {"csv": write_csv, "json": write_json, "influx": write_influx}
FORMATS = (*_TEXT, "parquet")
SUFFIXES = {"csv": ".csv", "json": ".json", "influx": ".lp", "parquet": ".parquet"}


def rendered(session: Session, kind: str) -> bytes:
    """Return the file that `session` is as `kind`, one of `FORMATS`."""
    if kind == "parquet":
        packed = io.BytesIO()
        write_parquet(session, packed)
        return packed.getvalue()
    out = io.StringIO(newline="")
    _TEXT[kind](session, out)
    return out.getvalue().encode()
