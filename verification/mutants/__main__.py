"""Try mutants of the firmware on the core tests, print what survived, write build/mutants.json."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import click
from rich.console import Console

from verification.mutants import equivalents, hunt, record, report, sample

ROOT = Path(".")


@click.command()
@click.option("--sample", "size", default=400, show_default=True, help="How many mutants, each at another place.")
@click.option("--all", "all_of_them", is_flag=True, help="Every mutant there is: about a day.")
@click.option("--seed", default=15, show_default=True, help="Of the sample.")
@click.option("--only", default="", help="Mutants of files or functions whose name has this in it.")
@click.option("--workers", default=os.cpu_count() or 2, show_default=True, help="Copies of the tree, side by side.")
@click.option("--limit", "limit_s", default=10.0, show_default=True, help="Processor time (s) that any test may take.")
@click.option(
    "--equivalents",
    "listed",
    default=Path(__file__).with_name("equivalents.toml"),
    type=click.Path(path_type=Path, exists=True),
    help="What need not be noticed; verification/mutants/equivalents.toml by default.",
)
@click.option(
    "--json", "output", default="build/mutants.json", show_default=True, type=click.Path(path_type=Path), help="File."
)
def main(
    size: int, all_of_them: bool, seed: int, only: str, workers: int, limit_s: float, listed: Path, output: Path
) -> None:
    """Change the firmware in small ways, one at a time, and see whether a core test notices.

    A run that was stopped goes on where it was; one on other sources asks first the test that noticed a mutant before.
    Exit code 1 when a mutant survives that is not in equivalents.toml, when an entry there is stale or noticed by a
    test, or when fewer than 95 % are killed.
    """
    began = time.monotonic()
    try:
        known = equivalents.read(listed)
    except equivalents.EquivalentsError as error:
        raise click.ClickException(str(error)) from error
    firmware = hunt.Firmware(ROOT)
    wanted = [each for each in firmware.mutants if only in f"{each.key.file}:{each.key.function}"]
    drawn = list(sample.drawn(wanted, None if all_of_them else size, seed, firmware.is_program))
    tests = hunt.core_tests(ROOT)
    digests = record.Digests(ROOT, hunt.FOLDER, tests)
    kept = record.Record(output.parent / "mutants", digests, known.reasons)
    todo = [each for each in drawn if kept.known(each.key) is None]
    if todo:
        hunt.run(firmware, tests, kept, todo, workers, limit_s)
    results = [result for each in drawn if (result := kept.known(each.key)) is not None]
    stale = [vars(key) for key in known.stale(each.key for each in firmware.mutants)]
    facts = {"seed": seed, "sources": digests.of(), "of": len(firmware.mutants), "stale": stale}
    facts["older"] = sum(kept.is_older(result.key) for result in results)
    _tell(record.answer(results, known.reasons, {**facts, "wall_s": round(time.monotonic() - began)}), output)


def _tell(answer: dict, output: Path) -> None:
    """Write and print the answer, and end with its exit code."""
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(answer, indent=1), encoding="utf-8")
    report.show(answer, Console())
    click.echo(f"written to {output}")
    problems = report.problems(answer)
    for problem in problems:
        click.echo(problem, err=True)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
