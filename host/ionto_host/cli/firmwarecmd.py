"""Commands about the MicroPython image that a board and the emulated Pico run."""

from __future__ import annotations

from pathlib import Path

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from ionto_host.board import micropython_image
from ionto_host.board.micropython_image import Image
from ionto_host.cli.common import Answer, IontoCommand, IontoGroup, examples, is_terminal, settings, stderr


@click.group(cls=IontoGroup)
def firmware() -> None:
    """Fetch and show the MicroPython image that a board runs.

    `ionto flash` installs the IontoPico firmware on top of it. The emulated Pico runs the image itself.
    """


@firmware.command("fetch", cls=IontoCommand)
@click.option("--force", is_flag=True, help="Download it again.")
def fetch(force: bool) -> Answer:
    """Download the official MicroPython image for the Pico and check its SHA-256."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        console=stderr(),
        disable=settings().json or not is_terminal(),
    )
    with bar:
        task = bar.add_task(micropython_image.FILE_NAME, total=None)
        image, downloaded = micropython_image.fetch(
            lambda done, total: bar.update(task, completed=done, total=total or None), force
        )
    did = "Fetched" if downloaded else "Already there"
    return Answer({**_as_data(image), "downloaded": downloaded}, f"{did}: {_as_text(image)}")


@firmware.command("show", cls=IontoCommand)
@click.option("--image", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Show this file instead.")
def show(image: Path | None) -> Answer:
    """Show which image would be used, its SHA-256, and whether it is the official one."""
    found = micropython_image.find(image)
    return Answer(_as_data(found), f"{_as_text(found)}\nNamed by {found.named_by}.")


def _as_data(image: Image) -> dict[str, object]:
    return {**vars(image), "official_version": micropython_image.VERSION}


def _as_text(image: Image) -> str:
    kind = f"official, MicroPython {micropython_image.VERSION}" if image.official else "not the official image"
    return f"{image.path}\nSHA-256 {image.sha256} ({kind})"


examples("ionto firmware fetch", "ionto firmware show")(firmware)
examples("ionto firmware fetch", "ionto firmware fetch --force")(fetch)
examples("ionto firmware show", "ionto firmware show --image RPI_PICO.uf2 --json")(show)

COMMANDS = (firmware,)
