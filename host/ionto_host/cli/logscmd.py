"""Commands about session logs: list, pull, show, delete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from ionto import protocol
from ionto_host import logstore, sessionfile
from ionto_host.cli.common import (
    Answer,
    IontoGroup,
    examples,
    is_terminal,
    note,
    open_device,
    settings,
    stderr,
    table,
)
from ionto_host.device import Device, LogEntry
from ionto_host.errors import ExitCode, NoDeviceError, RefusedError, UsageError
from ionto_host.logstore import Pulled
from ionto_host.units import clock, printable

_FOLDER = click.Path(file_okay=False, path_type=Path)
_OUT_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(cls=IontoGroup)
def logs() -> None:
    """Session logs: list, pull, show, delete."""


@logs.command("list")
def logs_list() -> Answer:
    """List the logs on the device, and those already pulled."""
    on_device: list[dict[str, Any]] = []
    try:
        with open_device() as device:
            folder = _folder(device, None)
            for entry in device.list_logs():
                pulled = logstore.stored_copy(device, entry, folder)
                on_device.append({"id": entry.id, "size_bytes": entry.size_bytes, "pulled": pulled})
    except NoDeviceError as error:
        note(f"{error.message}: showing pulled logs only.")
    stored = logstore.stored()
    rows = [[str(item["id"]), str(item["size_bytes"]), str(item["pulled"] or "no")] for item in on_device]
    parts = [table(rows, ["id", "bytes", "pulled"])] if rows else ["No logs on a device."]
    parts += ["", "Pulled:", *(str(path) for path in stored)] if stored else []
    return Answer({"device": on_device, "stored": stored}, "\n".join(parts))


@logs.command("pull")
@click.argument("ids", type=click.IntRange(min=0), nargs=-1, metavar="[ID]...")
@click.option("--output", type=_FOLDER, help="Folder for the logs. Default: IONTO_LOGS, or the user data folder.")
@click.option("--delete", is_flag=True, help="Delete each on the device after its copy is verified.")
def logs_pull(ids: tuple[int, ...], output: Path | None, delete: bool) -> Answer:
    """Fetch logs from the device (all, or those of the IDs) and verify every checksum.

    A log appears in the folder whole or not at all; an interrupted pull goes on where it stopped.
    """
    with open_device() as device:
        entries = _chosen(device, ids)
        folder = _folder(device, output)
        try:
            pulled = _pull_all(device, entries, folder)
        except KeyboardInterrupt:
            note("Interrupted: what came is kept; `ionto logs pull` goes on from there.")
            raise
        deleted = [item.id for item in pulled if delete and item.verified]
        for log_id in deleted:
            device.delete_log(log_id)
    good = all(item.verified for item in pulled)
    text = "\n".join([*(_pulled_line(item) for item in pulled), *_deleted_lines(deleted)])
    return Answer(
        {"folder": folder, "logs": pulled, "deleted": deleted},
        text or "No logs on the device.",
        ExitCode.OK if good else ExitCode.INTEGRITY,
    )


def _chosen(device: Device, ids: tuple[int, ...]) -> list[LogEntry]:
    entries = {entry.id: entry for entry in device.list_logs()}
    missing = [str(log_id) for log_id in ids if log_id not in entries]
    if missing:
        raise UsageError(f"the device has no log {', '.join(missing)}", "`ionto logs list` shows those it has.")
    status = device.status()
    if status.running and status.session_id in entries:
        note(f"Log {status.session_id} is left out: its session is not over.")
        del entries[status.session_id]
    return [entries[log_id] for log_id in ids or entries if log_id in entries]


def _folder(device: Device, output: Path | None) -> Path:
    return output or logstore.board_folder(device.identity.board_id)


def _pull_all(device: Device, entries: list[LogEntry], folder: Path) -> list[Pulled]:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=stderr(),
        disable=settings().json or not is_terminal(),
    )
    pulled: list[Pulled] = []
    with bar:
        for entry in entries:
            task = bar.add_task(f"log {entry.id}", total=entry.size_bytes)
            pulled.append(
                logstore.pull(device, entry, folder, lambda _, done, total, task=task: bar.update(task, completed=done))
            )
    return pulled


def _pulled_line(item: Pulled) -> str:
    how = "pulled" if item.fetched else "already here"
    if item.verified:
        return f"Log {item.id}: {how}, {item.size_bytes} bytes, verified: {item.path}"
    return f"Log {item.id}: DAMAGED on the device, kept as {item.path}: {'; '.join(item.damage)}"


def _deleted_lines(deleted: list[int]) -> list[str]:
    return [f"Deleted on the device: {', '.join(map(str, deleted))}."] if deleted else []


@logs.command("show")
@click.argument("log", default="last", metavar="[ID|FILE]")
@click.option("--csv", "csv_path", type=_OUT_FILE, help="Write samples and events as CSV.")
@click.option("--png", "png_path", type=_OUT_FILE, help="Draw the session.")
def logs_show(log: str, csv_path: Path | None, png_path: Path | None) -> Answer:
    """Show a pulled log: the newest, the one of an ID, or a FILE."""
    path = logstore.find(log)
    session = sessionfile.read(path)
    if csv_path:
        with csv_path.open("w", encoding="utf-8", newline="") as out:
            sessionfile.write_csv(session, out)
        note(f"CSV written to {csv_path}")
    if png_path:
        from ionto_host import plot

        plot.save_png(session, png_path)
        note(f"plot written to {png_path}")
    facts = {"path": path, **sessionfile.summary(session)}
    exit_code = ExitCode.OK if session.verified else ExitCode.INTEGRITY
    return Answer(
        {**facts, "header": session.header, "test": session.test, "end": session.end}, _show_text(facts), exit_code
    )


def _show_text(facts: dict[str, Any]) -> str:
    prescribed = facts["dose_prescribed_ma_min"]
    unknown = facts["dose_delivered_ma_min"] is None
    dose = "unknown how much was delivered" if unknown else f"{sessionfile.delivered(facts)} mA*min delivered"
    dose += f" of {prescribed:g} prescribed" if prescribed is not None else ""
    if facts["outcome"] == protocol.OUTCOMES[protocol.TIME_ENDED] and facts["shortfall_ma_min"]:
        dose += f", {facts['shortfall_ma_min']:.3f} SHORT: the contact was too poor for the time allowed"
    rows = [
        ["log", str(facts["path"])],
        ["dose", printable(f"{facts['name']}, {facts['drug']}") if facts["name"] else "unknown"],
        ["outcome", ", ".join([printable(facts["outcome"]), *facts["faults"]])],
        ["charge", dose],
        ["time", _time(facts)],
        ["extremes", _extremes(facts)],
        ["records", f"{facts['records']}: {facts['samples']} samples, {facts['events']} events"],
        ["verified", "yes, every checksum holds" if facts["log_verified"] else "NO"],
        *(["damage", line] for line in facts["damage"]),
    ]
    return "\n".join(f"{name:<9} {value}" for name, value in rows)


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
    return f"at most {facts['current_max_ma']:.3f} mA{volts}{seen}"


@logs.command("delete")
@click.argument("ids", type=click.IntRange(min=0), nargs=-1, required=True, metavar="ID...")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Also delete a log that was not pulled and verified.")
def logs_delete(ids: tuple[int, ...], yes: bool, force: bool) -> Answer:
    """Delete logs on the device, when a verified copy was pulled."""
    with open_device() as device:
        entries = _chosen(device, ids)
        folder = _folder(device, None)
        lost = [str(entry.id) for entry in entries if not force and not logstore.stored_copy(device, entry, folder)]
        if lost:
            raise RefusedError(
                f"no verified copy of log {', '.join(lost)} here", "Pull it first, or insist with --force."
            )
        if not yes:
            click.confirm(f"Delete log {', '.join(map(str, ids))} on the device?", abort=True, err=True)
        for log_id in ids:
            device.delete_log(log_id)
    return Answer({"deleted": list(ids)}, "\n".join(_deleted_lines(list(ids))))


examples("ionto logs list", "ionto logs pull", "ionto logs show")(logs)
examples("ionto logs list", "ionto logs list --json")(logs_list)
examples("ionto logs pull", "ionto logs pull 3 4 --output my_logs", "ionto logs pull --delete")(logs_pull)
examples("ionto logs show", "ionto logs show 3 --csv session.csv --png session.png")(logs_show)
examples("ionto logs delete 3")(logs_delete)

COMMANDS = (logs,)
