"""Commands about session logs that are here: show, verify, plot, export, diff, import; and the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ionto import protocol
from ionto_host.cli import completing
from ionto_host.cli.common import Answer, IontoCommand, examples, note, open_device, port_name, settings, table
from ionto_host.cli.logscmd import logs
from ionto_host.cli.output import force, output, put
from ionto_host.errors import ExitCode, IontoError, NoDeviceError, NotALogError, UsageError
from ionto_host.logs import diff as logdiff
from ionto_host.logs import export as logexport
from ionto_host.logs import index as logindex
from ionto_host.logs import knowledge, sessionfile
from ionto_host.logs import store as logstore
from ionto_host.logs.sessionfile import Session
from ionto_host.outfile import shown
from ionto_host.transport.ports import names_port
from ionto_host.units import clock, printable, utc

_board = click.option("--board", default="", metavar="BOARD", help="Logs of the board whose id begins so.")


def _log(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Give a command the log it is about, and the board whose log that is."""
    return click.argument("log", default="last", metavar="[ID|FILE]", shell_complete=completing.logs)(_board(command))


def _wanted_board(board: str) -> str:
    """Return the beginning of the id of the board whose logs are meant: `board`, else what --port or IONTO_PORT names.

    A serial number is a board's id, plugged in or not. For another port where no board answers: `NoDeviceError` when
    this command line names it; when the environment or the settings file does, every board.
    """
    name = port_name()
    if board or not name:
        return board.lower()
    if not names_port(name):
        return name.lower()
    try:
        with open_device() as device:
            return device.identity.board_id
    except IontoError as error:
        if not settings().port:
            note(f"{error.message}: looking among the logs of every board.")
            return ""
        if isinstance(error, NoDeviceError):
            error.action = "Logs that are here need no device: choose their board with --board, or give no --port."
        raise


def _load(log: str, board: str) -> tuple[Path, Session, bool]:
    """Return the path of `log`, its session, and whether the file was altered since it was pulled."""
    path = Path(log) if Path(log).is_file() else logstore.find(log, board="" if "/" in log else _wanted_board(board))
    session = logstore.joined(sessionfile.read(path))
    altered = _altered(path)
    if altered:
        note(f"Warning: {path} is not the file that was pulled: it was altered on this disk.")
    elsewhere = _wrong_board(path, session, board)
    if elsewhere:
        note(f"Warning: {elsewhere}.")
    return path, session, altered


def _altered(path: Path) -> bool:
    root = logstore.default_folder()
    if not (root / logindex.FILE).is_file():
        return False
    with logindex.opened(root) as index:
        return index.altered(path)


def _code(session: Session, altered: bool = False) -> ExitCode:
    return ExitCode.OK if session.verified and not altered else ExitCode.INTEGRITY


@logs.command("show")
@_log
@output("--csv", "csv_path", help="Write samples and events as CSV.")
@output("--png", "png_path", help="Draw the session.")
@force
def logs_show(log: str, board: str, csv_path: Path | None, png_path: Path | None) -> Answer:
    """Show a pulled log: the newest, the one of an ID (or BOARD/ID), or a FILE.

    With --port, or --board, the newest or the ID of that board.
    """
    path, session, altered = _load(log, board)
    if csv_path:
        put(csv_path, logexport.rendered(session, "csv"), "CSV")
    if png_path:
        _draw(session, png_path)
    facts = {"path": path, **sessionfile.summary(session), "altered": altered}
    more = {"header": session.header, "test": session.test, "end": session.end}
    unknown = knowledge.told(session)
    text = "\n".join([_show_text(facts), *(f"{'NOT KNOWN':<9} {line}" for line in unknown)])
    seen = {"watched": session.watched.data()} if session.watched else {}
    return Answer({**facts, "not_known": unknown, **seen, **more}, text, _code(session, altered))


def _tell_unknown(session: Session) -> dict[str, list[str]]:
    """Say on stderr what the log does not know of its session; return it for `--json`."""
    unknown = knowledge.told(session)
    for line in unknown:
        note(f"NOT KNOWN: {line}")
    return {"flaws": session.flaws, "not_known": unknown}


def _draw(session: Session, path: Path) -> None:
    from ionto_host.logs import plot

    put(path, plot.rendered(session, path.suffix.lower().lstrip(".")), "plot")


def _show_text(facts: dict[str, Any]) -> str:
    prescribed = facts["dose_prescribed_ma_min"]
    unknown = facts["dose_delivered_ma_min"] is None
    dose = "unknown how much was delivered" if unknown else f"{sessionfile.delivered(facts)} mA*min delivered"
    dose += f" of {prescribed:g} prescribed" if prescribed is not None else ""
    if facts["outcome"] == protocol.OUTCOMES[protocol.TIME_ENDED] and facts["shortfall_ma_min"]:
        dose += f", {facts['shortfall_ma_min']:.3f} SHORT: {sessionfile.why_short(facts)}"
    began = facts["started_unix_s"]
    rows = [
        ["log", str(facts["path"])],
        ["began", "unknown, the clock was not set" if began is None else f"{utc(began)} UTC{_by(facts)}"],
        ["dose", printable(f"{facts['name']}, {facts['drug']}") if facts["name"] else "unknown"],
        ["outcome", ", ".join([printable(facts["outcome"]), *facts["faults"]])],
        ["charge", dose],
        *([["second", _second(facts)]] if facts["second_count_ma_min"] is not None else []),
        ["time", _time(facts)],
        ["extremes", _extremes(facts)],
        *(["comfort", printable(_felt(row))] for row in facts["comfort"]),
        *([["screened", printable(facts["screening"])]] if facts["screening"] else []),
        ["records", f"{facts['records']}: {facts['samples']} samples, {facts['events']} events"],
        ["verified", _proof(facts)],
        *(["damage", line] for line in facts["damage"]),
    ]
    return "\n".join(f"{name:<9} {value}" for name, value in rows)


def _by(facts: dict[str, Any]) -> str:
    """Return by whose clock the session is dated, where it is not the board's."""
    if facts["dated_by"] != "host":
        return ""
    return ", dated afterwards by the clock of this computer, which watched: the board's was not set"


def _second(facts: dict[str, Any]) -> str:
    count = f"{facts['second_count_ma_min']:.3f} mA*min by the second sensor, before relay and leads"
    return count + (": NOT WHAT WAS COUNTED" if facts["charges_agree"] is False else "")


def _time(facts: dict[str, Any]) -> str:
    if facts["duration_s"] is None:
        return "unknown"
    time = f"{'at least ' if facts['at_least'] else ''}{clock(facts['duration_s'])} min:s"
    return f"{time}, {clock(facts['extended_s'])} of it for poor contact" if facts["extended_s"] else time


def _extremes(facts: dict[str, Any]) -> str:
    """Return the greatest current and voltage that the log knows of."""
    if facts["current_max_ma"] is None:
        return "unknown"
    volts = "" if facts["load_max_v"] is None else f" and {facts['load_max_v']:.2f} V"
    seen = ", as far as it is recorded" if facts["at_least"] else ""
    least = [
        f"{name} {facts[key]:.2f} V"
        for name, key in (("battery", "battery_min_v"), ("rail", "rail_min_v"))
        if facts[key] is not None
    ]
    supply = f"; at least {', '.join(least)}" if least else ""
    return f"at most {facts['current_max_ma']:.3f} mA{volts}{seen}{supply}"


def _felt(row: dict[str, Any]) -> str:
    return f"{clock(row['time_s'])} {row['report'].removeprefix('comfort ')}, at {row['current_ma']:.3f} mA"


def _proof(facts: dict[str, Any]) -> str:
    if not facts["log_verified"]:
        return "NO"
    if facts.get("altered"):
        return "NO: every checksum holds, but this is not the file that was pulled"
    return "yes, every checksum holds" + (" and the chain is unbroken" if facts["chain"] else "")


@logs.command("verify")
@click.argument("names", nargs=-1, metavar="[ID|FILE]...", shell_complete=completing.logs)
@_board
def logs_verify(names: tuple[str, ...], board: str) -> Answer:
    """Verify logs: every checksum, the chain, the sequence, and that the file is the one that was pulled.

    Without a name all pulled logs (of the board that --board or --port names). Damage is named byte for byte; exit code
    7 when anything is wrong.
    """
    board = board.lower() if names and all(Path(name).is_file() for name in names) else _wanted_board(board)
    every = logstore.stored()
    paths = [logstore.find(name, board=board) for name in names]
    paths = paths or [path for path in every if path.parent.name.startswith(board)]
    if not paths:
        raise UsageError("no log is here, so none was verified", "`ionto logs pull` fetches those of the device.")
    left_out = 0 if names else len(every) - len(paths)
    found = [_verdict(path, board) for path in paths]
    lines = [line for row in found for line in _verdict_lines(row)]
    if left_out:
        lines.append(f"Left out, of other boards than {board}: {left_out} logs, which nobody looked at.")
    good = all(row["ok"] for row in found)
    return Answer(
        {"logs": found, "ok": good, "left_out": left_out},
        "\n".join(lines),
        ExitCode.OK if good else ExitCode.INTEGRITY,
    )


def _wrong_board(path: Path, session: Session, board: str) -> str:
    """Return in words that the log is not of `board` (the beginning of an id), or not of the one it lies with."""
    wrote = printable(session.board_id)
    if board and wrote and not session.board_id.startswith(board):
        return f"this log is of board {wrote}, not of {board}"
    other = logstore.misplaced(path, session)
    return f"this log is of board {wrote}, and lies with those of board {other}" if other else ""


def _verdict(path: Path, board: str) -> dict[str, Any]:
    try:
        session = sessionfile.read(path)
    except NotALogError as error:
        nothing = {"damage": [], "records": 0, "chain": "", "charges_agree": None, "flaws": [], "not_known": []}
        return {"path": path, "ok": False, "error": error.message, **nothing}
    altered = _altered(path)
    damage = [item.describe() for item in session.damage]
    if altered:
        damage.append("the file is not the one that was pulled: it was altered on this disk")
    elsewhere = _wrong_board(path, session, board)
    if elsewhere:
        damage.append(elsewhere)
    return {
        "path": path,
        "ok": session.verified and not altered and not elsewhere,
        "error": "",
        "damage": damage,
        "records": session.records,
        "chain": session.chain.hex(),
        "charges_agree": session.charges_agree,
        "flaws": session.flaws,
        "not_known": knowledge.told(session),
    }


def _verdict_lines(row: dict[str, Any]) -> list[str]:
    if row["error"]:
        return [f"NOT A LOG  {row['path']}: {row['error']}"]
    mark = "ok      " if row["ok"] else "DAMAGED "
    chain = f", chain {row['chain'][:16]}..." if row["chain"] else ""
    return [
        f"{mark}   {row['path']}: {row['records']} records{chain}",
        *(f"           {line}" for line in row["damage"]),
        *(f"           {line}" for line in row["not_known"]),
        *(["           the second sensor's charge is not what was counted"] if row["charges_agree"] is False else []),
    ]


@logs.command("plot")
@_log
@output("--output", "-o", "wanted", help="PNG, SVG or PDF. Default: named after the log, PNG.")
@force
def logs_plot(log: str, board: str, wanted: Path | None) -> Answer:
    """Draw a session: current, electrode voltage, load, charge, events."""
    path, session, altered = _load(log, board)
    target = wanted or Path(path.name).with_suffix(".png")
    _draw(session, target)
    return Answer({"path": path, "plot": target, **_tell_unknown(session)}, "", _code(session, altered))


@logs.command("export")
@_log
@click.option("--format", "kind", type=click.Choice(logexport.FORMATS), default="csv", show_default=True)
@output("--output", "-o", "wanted", help="Default: named after the log, in this folder.")
@force
def logs_export(log: str, board: str, kind: str, wanted: Path | None) -> Answer:
    """Write a session for another program; units are in the names of the columns.

    csv: samples and events by time. json: everything. parquet: samples as a table, the rest in its metadata (needs the
    extra `parquet`). influx: line protocol, for sessions whose clock was set.
    """
    path, session, altered = _load(log, board)
    target = wanted or Path(path.name).with_suffix(logexport.SUFFIXES[kind])
    put(target, logexport.rendered(session, kind))
    facts = {"path": path, "export": target, "format": kind, "samples": len(session.samples)}
    text = f"{shown(target)}: {len(session.samples)} samples, {len(session.events)} events"
    if not session.verified:
        note(f"Warning: the log is damaged or incomplete; what could be read is in {shown(target)}.")
    unknown = _tell_unknown(session)
    return Answer({**facts, "events": len(session.events), **unknown}, text, _code(session, altered))


@logs.command("diff")
@_log
def logs_diff(log: str, board: str) -> Answer:
    """Compare a session with its dose: charge by three counts, current, density, ramps, time, polarity, faults.

    Of a log that lacks a part of its session, what is not in it is unknown, not "none". Exit code 0 only when nothing
    differs and nothing is unknown, 5 otherwise, 7 for a damaged log.
    """
    path, session, altered = _load(log, board)
    lines = logdiff.compare(session)
    marks = {True: "ok", False: "DIFFERS", None: "-"}
    rows = [[line.what, line.prescribed, printable(line.found), marks[line.agrees]] for line in lines]
    data = {"path": path, "agrees": logdiff.agrees(lines, session), "lines": lines, **_tell_unknown(session)}
    code = _code(session, altered) or (ExitCode.OK if data["agrees"] else ExitCode.FAULT)
    return Answer(data, table(rows, ["", "dose", "session", ""]), code)


@logs.command("import")
@click.argument("files", type=click.Path(exists=True, dir_okay=False, path_type=Path), nargs=-1, required=True)
def logs_import(files: tuple[Path, ...]) -> Answer:
    """Take log FILES into the store, by the board that wrote them. The same log twice is one log."""
    done = [(file, *logstore.add(file)) for file in files]
    flaws = [sessionfile.read(path).flaws for _, path, _ in done]
    lines = [
        f"{file}: {'taken in as' if new else 'already here:'} {path}" + (f" ({', '.join(lacks)})" if lacks else "")
        for (file, path, new), lacks in zip(done, flaws, strict=True)
    ]
    rows = [
        {"file": file, "path": path, "new": new, "flaws": lacks}
        for (file, path, new), lacks in zip(done, flaws, strict=True)
    ]
    return Answer(rows, "\n".join(lines))


@click.command(cls=IontoCommand)
@_log
@output("--output", "-o", "wanted", help="HTML. Default: named after the log, in this folder.")
@force
def report(log: str, board: str, wanted: Path | None) -> Answer:
    """Write a session's report: one HTML page that needs nothing else, for the screen and for A4 paper."""
    from ionto_host.logs import report as maker

    path, session, altered = _load(log, board)
    target = wanted or Path(path.name).with_suffix(".html")
    put(target, maker.page(session, path, altered))
    data = {"path": path, "report": target, **_tell_unknown(session)}
    return Answer(data, f"Report written to {shown(target)}", _code(session, altered))


examples(
    "ionto logs show", "ionto logs show 3 --board e660", "ionto logs show e660/3 --csv session.csv --png session.png"
)(logs_show)
examples("ionto logs verify", "ionto logs verify 3 copy.ilog")(logs_verify)
examples("ionto logs plot", "ionto logs plot 3 -o session.svg")(logs_plot)
examples("ionto logs export 3 --format csv", "ionto logs export last --format influx -o session.lp")(logs_export)
examples("ionto logs diff", "ionto logs diff 3 --json")(logs_diff)
examples("ionto logs import usb_stick/*.ilog")(logs_import)
examples("ionto report", "ionto report 3 -o report.html")(report)

COMMANDS = (logs, report)
