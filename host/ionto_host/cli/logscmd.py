"""Commands about the logs on a device: list, pull, delete. Those about a log that is here: logusecmd."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

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
from ionto_host.device import messages
from ionto_host.device.answers import LogEntry
from ionto_host.device.client import Device
from ionto_host.errors import ExitCode, IontoError, NoDeviceError, RefusedError, TransportError, UsageError
from ionto_host.logs import index as logindex
from ionto_host.logs import sessionfile
from ionto_host.logs import store as logstore
from ionto_host.logs.sessionfile import DAMAGED, INTERRUPTED, NO_END_FLAW
from ionto_host.logs.store import Pulled
from ionto_host.units import clock, printable, utc

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group(cls=IontoGroup)
def logs() -> None:
    """Session logs: list, pull, show, verify, plot, export, compare, delete."""


@logs.command("list")
@click.option("--board", metavar="BOARD", help="Only logs of boards whose id begins so.")
def logs_list(board: str | None) -> Answer:
    """List the logs on the device, and those already pulled, of every board."""
    on_device: list[dict[str, Any]] = []
    told: list[str] = []
    try:
        with open_device() as device:
            entries = device.list_logs()
            told = _look_at_store(device, entries)
            folder = _folder(device, None)
            for entry in entries:
                pulled = logstore.stored_copy(device, entry, folder)
                row = {"id": entry.id, "size_bytes": entry.size_bytes, "pulled": pulled, "released": entry.pulled}
                on_device.append(row)
    except NoDeviceError as error:
        note(f"{error.message}: showing pulled logs only.")
    stored = [row for row in _index_rows() if row.board_id.startswith(board or "")]
    rows = [[str(item["id"]), str(item["size_bytes"]), str(item["pulled"] or "no")] for item in on_device]
    parts = [table(rows, ["id", "bytes", "pulled"])] if rows else ["No logs on a device."]
    parts += ["", "Pulled:", table([_stored_line(row) for row in stored], _STORED_HEADS)] if stored else []
    return Answer({"device": on_device, "notes": told, "stored": stored}, "\n".join(parts))


_STORED_HEADS = ["board/id", "began (UTC)", "name", "outcome", "mA*min", "of", "min:s", "log"]


def _index_rows() -> list[logindex.Row]:
    root = logstore.default_folder()
    if not root.is_dir():
        return []
    with logindex.opened(root) as index:
        return index.refresh(logstore.stored(root))


def _stored_line(row: logindex.Row) -> list[str]:
    began = _seen_began(row) if row.started_unix_s is None else utc(row.started_unix_s)
    name = printable(row.name)
    return [
        f"{row.board_id}/{row.log_id}",
        began,
        name if len(name) <= 28 else name[:25] + "...",
        printable(row.outcome),
        "?" if row.dose_delivered_ma_min is None else f"{_least(row)}{row.dose_delivered_ma_min:.3f}",
        "?" if row.dose_prescribed_ma_min is None else f"{row.dose_prescribed_ma_min:g}",
        "?" if row.duration_s is None else f"{_least(row)}{clock(row.duration_s)}",
        _proof(row),
    ]


def _seen_began(row: logindex.Row) -> str:
    """Return when a session without a date of the board began, by this computer where it watched."""
    with suppress(IontoError, OSError):
        began = logstore.joined(sessionfile.read(logstore.default_folder() / row.path)).seen_began_unix_s
        if began is not None:
            return f"{utc(began)} by host"
    return "clock not set"


def _least(row: logindex.Row) -> str:
    """Return the mark of a figure that is the least that is known."""
    return ">= " if {INTERRUPTED, NO_END_FLAW} & set(_flaws(row)) else ""


def _flaws(row: logindex.Row) -> list[str]:
    return row.flaws.split(", ") if row.flaws else []


def _proof(row: logindex.Row) -> str:
    """Return whether the file is sound, and what of its session it does not have."""
    sound = "ALTERED" if row.altered else "verified" if row.verified else "DAMAGED"
    return ", ".join([sound, *(flaw for flaw in _flaws(row) if flaw not in (INTERRUPTED, DAMAGED))])


def _look_at_store(device: Device, entries: list[LogEntry]) -> list[str]:
    """Return, and tell, what is wrong with the logs of the board, against its last visit too; remember `entries`."""
    hello = device.identity
    told: list[str] = []
    if hello.store:
        root = logstore.default_folder()
        with logindex.opened(root) as index:
            index.refresh(logstore.stored(root))
            told += [messages.MADE_ANEW] if index.meet(hello.board_id, hello.store) else []
            told += index.visit(hello.board_id, hello.store, entries)
    if hello.logs == "damaged":
        told.append(
            "The board found damage among its logs when it booted: pull them all, `ionto logs verify` names it."
        )
    if hello.logs == "unreadable":
        told.append("The board cannot read its log folder: its flash is damaged. No session will start.")
    for line in told:
        note(f"Warning: {line}")
    return told


@logs.command("pull")
@click.argument("ids", type=click.IntRange(min=0), nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All logs; the default without an ID.")
@click.option("--output", type=_FOLDER, help="Folder for the logs. Default: IONTO_LOGS, or the user data folder.")
@click.option("--delete", is_flag=True, help="Delete each on the device after its copy is verified.")
def logs_pull(ids: tuple[int, ...], everything: bool, output: Path | None, delete: bool) -> Answer:
    """Fetch logs from the device (all, or those of the IDs) and verify every checksum and the chain.

    A log appears in the folder whole or not at all; an interrupted pull goes on where it stopped. The device is told
    of each verified copy: when its flash is full, it drops those logs, oldest first, and no others.
    """
    if everything and ids:
        raise UsageError("--all and an ID exclude each other")
    with open_device() as device:
        found = device.list_logs()
        told = _look_at_store(device, found)
        entries = _chosen(device, ids, found)
        folder = _folder(device, output)
        try:
            pulled = _pull_all(device, entries, folder)
        except (KeyboardInterrupt, TransportError):
            note("Interrupted: what came is kept; `ionto logs pull` goes on from there.")
            raise
        deleted = [item.id for item in pulled if delete and item.verified]
        _delete(device, deleted)
    if output is None:
        _index_rows()
    good = all(item.verified and not item.other_board for item in pulled)
    lines = [line for item in pulled for line in (_pulled_line(item), f"  {item.seen}") if line.strip()]
    text = "\n".join([*lines, *_deleted_lines(deleted)])
    return Answer(
        {"folder": folder, "notes": told, "logs": pulled, "deleted": deleted},
        text or "No logs on the device.",
        ExitCode.OK if good else ExitCode.INTEGRITY,
    )


def _delete(device: Device, ids: Iterable[int]) -> None:
    hello = device.identity
    with logindex.opened(logstore.default_folder()) as index:
        for log_id in ids:
            with index.deleting(hello.board_id, hello.store, log_id):
                device.delete_log(log_id)


def _chosen(device: Device, ids: tuple[int, ...], found: list[LogEntry]) -> list[LogEntry]:
    entries = {entry.id: entry for entry in found}
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
        TimeRemainingColumn(),
        console=stderr(),
        disable=settings().json or not is_terminal(),
    )
    pulled: list[Pulled] = []
    with bar:
        for entry in entries:
            task = bar.add_task(f"log {entry.id}", total=entry.size_bytes)
            pulled.append(logstore.pull(device, entry, folder, _shown_by(bar, task)))
            bar.update(task, total=pulled[-1].size_bytes, completed=pulled[-1].size_bytes)
    with logindex.opened(logstore.default_folder()) as index:
        hello = device.identity
        index.release(hello.board_id, hello.store, [item.id for item in pulled if item.told])
    return pulled


def _shown_by(bar: Progress, task: TaskID) -> logstore.Progress:
    def show(log_id: int, done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)

    return show


def _pulled_line(item: Pulled) -> str:
    how = "pulled" if item.fetched else "already here"
    lacks = f" {', '.join(item.flaws).upper()};" if item.flaws else ""
    if item.verified:
        other = f" WRITTEN BY BOARD {printable(item.other_board)}, not by this one;" if item.other_board else ""
        other += " ANOTHER LOG than the one pulled before under this id, which is kept;" if item.reused else ""
        return f"Log {item.id}:{other} {how}, {item.size_bytes} bytes, verified:{lacks} {item.path}"
    return f"Log {item.id}: DAMAGED on the device,{lacks} kept as {item.path}: {'; '.join(item.damage)}"


def _deleted_lines(deleted: list[int]) -> list[str]:
    return [f"Deleted on the device: {', '.join(map(str, deleted))}."] if deleted else []


@logs.command("delete")
@click.argument("ids", type=click.IntRange(min=0), nargs=-1, required=True, metavar="ID...")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Also delete a log that was not pulled and verified.")
def logs_delete(ids: tuple[int, ...], yes: bool, force: bool) -> Answer:
    """Delete logs on the device, when a verified copy was pulled."""
    with open_device() as device:
        entries = _chosen(device, ids, device.list_logs())
        folder = _folder(device, None)
        lost = [str(entry.id) for entry in entries if not force and not logstore.stored_copy(device, entry, folder)]
        if lost:
            raise RefusedError(
                f"no verified copy of log {', '.join(lost)} here", "Pull it first, or insist with --force."
            )
        if not yes and not click.confirm(f"Delete log {', '.join(map(str, ids))} on the device?", err=True):
            raise RefusedError("nothing was deleted", "The logs are on the device as before.")
        _delete(device, ids)
    return Answer({"deleted": list(ids)}, "\n".join(_deleted_lines(list(ids))))


examples("ionto logs list", "ionto logs pull", "ionto logs show")(logs)
examples("ionto logs list", "ionto logs list --json")(logs_list)
examples("ionto logs pull", "ionto logs pull 3 4 --output my_logs", "ionto logs pull --delete")(logs_pull)
examples("ionto logs delete 3")(logs_delete)
