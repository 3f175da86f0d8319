"""Run the campaign, print its table, write build/faults.json; exit code 1 when a row fails."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from verification.campaign import report, rows
from verification.campaign.catalogue import BY_NAME, STATES
from verification.campaign.rig import flash_image
from verification.hazards import record


@click.command()
@click.option("--fault", type=click.Choice(sorted(BY_NAME)), multiple=True, help="Run this fault; may be repeated.")
@click.option("--state", type=click.Choice(STATES), multiple=True, help="Run in this state; may be repeated.")
@click.option("--jobs", default=os.cpu_count() or 2, show_default=True, help="Rows run side by side.")
@click.option(
    "--json", "output", default="build/faults.json", show_default=True, type=click.Path(path_type=Path), help="File."
)
def main(fault: tuple[str, ...], state: tuple[str, ...], jobs: int, output: Path) -> None:
    """Break the virtual Pico in every way in every state of a session, and let the independent meter judge."""
    began = time.monotonic()
    evidence = record.read(Path("."))
    chosen = rows.cases(fault, state)
    with tempfile.TemporaryDirectory(prefix="ionto-campaign-") as folder:
        click.echo("flashing a virtual Pico", err=True)
        found = _run(chosen, flash_image(Path(folder)), jobs)
    order = {case: at for at, case in enumerate(chosen)}
    found.sort(key=lambda row: order[rows.Case(row["fault"], row["state"], row["board"])])
    report.show(found, Console())
    report.write_json(output, found)
    click.echo(f"written to {output}; {time.monotonic() - began:.0f} s")
    evidence.results.update({rows.node(row): _outcome(row) for row in found})
    if not evidence.keep(Path(".")):
        click.echo("no evidence for `make trace`: the sources changed while the campaign ran", err=True)
    sys.exit(0 if all(row["passed"] for row in found) else 1)


def _outcome(row: dict) -> str:
    return record.PASSED if row["passed"] else record.FAILED


def _run(chosen: list[rows.Case], image: Path, jobs: int) -> list[dict]:
    """Return the rows of `chosen`, with progress on stderr."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    found = []
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("faults", total=len(chosen))
        for row in rows.run_all(chosen, image, jobs):
            found.append(row)
            where = f"{row['fault']} in {row['state']}"
            progress.update(task, advance=1, description=where if row["passed"] else f"FAILED {where}")
            if not row["passed"]:
                progress.console.print(f"FAILED {where} ({row['board']}): {'; '.join(row['failures'])}", markup=False)
    return found


if __name__ == "__main__":
    main()
