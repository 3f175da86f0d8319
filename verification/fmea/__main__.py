"""Break the drawn circuit in every way; the load's current judges; exit 1 when the known violations differ."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ionto_host import wholefile
from ionto_sim.spice import netlist as netlists
from ionto_sim.spice.engine import library
from ionto_sim.spice.errors import SpiceMissingError
from verification.fmea import causes, document, faults, known, page, results, store, sweep
from verification.fmea.faults import Fault, Row
from verification.fmea.moments import NAMES


@click.command()
@click.option("--only", "parts", multiple=True, help="Only faults of this part or net; may be repeated.")
@click.option("--fault", "keys", multiple=True, help="Only this fault, by its id; may be repeated.")
@click.option("--at", "moments", multiple=True, type=click.Choice(NAMES), help="Only at this moment; may be repeated.")
@click.option("--sample", type=click.IntRange(min=1), help="Only so many rows, chosen by the seed.")
@click.option("--seed", default=1, show_default=True, help="Of the sample.")
@click.option("--part", "share", help="Only the k-th of n shares of the rows, as K/N: two processes side by side.")
@click.option("--jobs", default=os.cpu_count() or 2, show_default=True, help="Copies at work side by side.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
@click.option("--fresh", is_flag=True, help="Measure again what has been measured for these sources.")
@click.option("--list", "only_list", is_flag=True, help="Print the ids of the faults, run nothing.")
@click.option("--accept", is_flag=True, help=f"Write what violates into {known.PATH.name}.")
@click.option(
    "--document", "write_document", is_flag=True, help=f"Write {document.PAGE} from what is measured; run nothing."
)
def main(
    parts: tuple[str, ...],
    keys: tuple[str, ...],
    moments: tuple[str, ...],
    sample: int | None,
    seed: int,
    share: str | None,
    jobs: int,
    as_json: bool,
    fresh: bool,
    only_list: bool,
    accept: bool,
    write_document: bool,
) -> None:
    """Break the drawn circuit in every way, with the real firmware in the loop, and let the load's current judge."""
    everything = faults.generate(faults.Circuit(netlists.read()))
    rows = _chosen(sweep.important_first(faults.rows(everything)), everything, parts, keys)
    if only_list:
        click.echo("\n".join(name for row in rows for name in row.names))
        return
    console = Console(stderr=True)
    sources = store.digest()
    kept = {} if fresh else store.read(sources)
    pairs = [(row, name) for row in rows for name in moments or NAMES]
    if sample:
        pairs = [pair for pair in sweep.sample(rows, sample, seed) if not moments or pair[1] in moments]
    if share:
        place, count = map(int, share.split("/"))
        pairs = [(row, name) for row, name in pairs if rows.index(row) % count == place]
    if not write_document:
        _require_spice()
        _run(pairs, kept, sources, jobs, console, whole=not sample)
    names = {fault.key: fault.part for fault in everything}
    wanted = {(row.key, name) for row, name in pairs}
    lines = results.lines(list(rows), names, {key: row for key, row in kept.items() if key in wanted})
    nothing = sum(fault.change is None for fault in everything)
    summary = f"{_summary(lines, len(wanted))} Sources {sources}."
    found = [{**_as_json(line, cell), "sources": sources} for line in lines for cell in line.cells]
    _write(lines, found, summary, nothing, write_document or not (parts or keys or moments or sample or share))
    run = [known.label(line.row.key, cell.moment) for line in lines for cell in line.cells]
    if accept:
        _accept(lines, run)
    difference = known.compare(results.violations(lines), run, known.read())
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        _tell(lines, difference, summary)
    sys.exit(1 if difference else 0)


def _chosen(rows: list[Row], everything: Sequence[Fault], parts: tuple[str, ...], keys: tuple[str, ...]) -> list[Row]:
    """Return the rows of `parts` and `keys`; a usage error for a name that is not there."""
    if not parts and not keys:
        return rows
    names = {fault.key for fault in everything if fault.part in parts} | set(keys)
    known_names = {name for row in rows for name in row.names}
    unknown = [part for part in parts if part not in {fault.part for fault in everything}]
    unknown += [key for key in keys if key not in known_names]
    if unknown:
        raise click.UsageError(f"there is no {', '.join(unknown)}; --list prints every id")
    return [row for row in rows if names & set(row.names)]


def _require_spice() -> None:
    try:
        library()
    except SpiceMissingError as error:
        raise click.ClickException(str(error)) from error


def _run(
    pairs: Sequence[tuple[Row, str]],
    kept: dict[store.Key, dict[str, Any]],
    sources: str,
    jobs: int,
    console: Console,
    whole: bool,
) -> None:
    """Measure what is not kept, with progress on stderr; every row is on disk as soon as it is there."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )  # fmt: skip
    keeper = store.Keeper(sources)
    began = time.monotonic()
    todo = [(row, name) for row, name in pairs if (row.key, name) not in kept]
    left = {(row.key, name) for row, name in todo}
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("rows", total=len(todo))
        for group_rows, moments in _groups(todo, whole):
            for measured in sweep.measure(group_rows, moments, kept, jobs):
                keeper.keep(measured)
                more = (measured["row"], measured["moment"]) in left
                progress.update(task, advance=int(more), description=f"{measured['row']} at {measured['moment']}")
    keeper.close()
    console.print(f"{len(todo)} rows to measure, {time.monotonic() - began:.0f} s")


def _groups(todo: Sequence[tuple[Row, str]], whole: bool) -> list[tuple[list[Row], list[str]]]:
    """Return the rows with the moments at which they are wanted: all alike in a sweep, one by one in a sample."""
    if whole:
        return [(list(dict.fromkeys(row for row, _ in todo)), list(dict.fromkeys(name for _, name in todo)))]
    by_moment: dict[str, list[Row]] = {}
    for row, name in todo:
        by_moment.setdefault(name, []).append(row)
    return [(rows, [name]) for name, rows in by_moment.items()]


def _summary(lines: Sequence[results.Line], wanted: int) -> str:
    cells = [cell for line in lines for cell in line.cells]
    bad = sum(bool(cell.verdict.violations) for cell in cells)
    failing = sum(bool(line.violations) for line in lines)
    noticed = sum(line.noticed for line in lines)
    names = sum(len(line.row.names) for line in lines)
    left = f" Not measured yet: {wanted - len(cells)} rows." if wanted > len(cells) else ""
    return (
        f"{names} faults, which are {len(lines)} changes to the circuit; {len(cells)} rows measured. "
        f"{failing} changes violate something, in {bad} rows; {noticed} are refused or trip at some moment.{left}"
    )


def _write(
    lines: Sequence[results.Line], found: Sequence[dict[str, Any]], summary: str, nothing: int, write_document: bool
) -> None:
    store.write_all(found, causes.OUTPUT)
    wholefile.write(causes.OUTPUT.with_suffix(".html"), page.render(lines, netlists.read(), summary))
    if write_document:
        wholefile.write(document.PAGE, document.text(lines, summary, nothing))


def _as_json(line: results.Line, cell: results.Cell) -> dict[str, Any]:
    return {
        **{key: value for key, value in cell.measured.items() if key != "row"},
        "id": line.row.key,
        "names": list(line.row.names),
        "violates": list(cell.verdict.violations),
        "result": cell.verdict.result,
        "why": cell.verdict.why,
        "share": round(cell.verdict.share, 3),
    }


def _accept(lines: Sequence[results.Line], run: Sequence[str]) -> None:
    """List what violates now; what was not run stays listed."""
    was = known.read_entries()
    fresh = {
        known.label(line.row.key, cell.moment): (cell.verdict.violations, cell.verdict.why)
        for line in lines
        for cell in line.violations
    }
    known.write({**{key: entry for key, entry in was.items() if key not in set(run)}, **fresh})


def _tell(lines: Sequence[results.Line], difference: known.Difference, summary: str) -> None:
    for line in [line for line in lines if line.violations][:40]:
        worst = line.violations[0]
        click.echo(f"{line.row.key} at {worst.moment}: {worst.verdict.why}")
    click.echo(summary)
    click.echo(f"written to {causes.OUTPUT} and {causes.OUTPUT.with_suffix('.html')}")
    for words, keys in (
        ("violates and is not listed", difference.new),
        ("is listed and violates nothing now: take it off the list", difference.gone),
        ("violates something else than listed", difference.other),
    ):
        for key in keys:
            click.echo(f"{key}: {words}", err=True)


if __name__ == "__main__":
    main()
