"""Commands that hand the board over: to a restart, to its bootloader, to a person at the MicroPython prompt."""

from __future__ import annotations

import subprocess
import sys

import click

from ionto_host.board import handover
from ionto_host.cli.common import Answer, IontoCommand, can_ask, examples, note, port_name, settings
from ionto_host.errors import BoardError, UsageError
from ionto_host.transport.ports import resolve

_HAND = (
    "Refused while a session is under way. Needs a hand on the board: its bench strap, or START pressed within 10 s."
)


@click.command(
    cls=IontoCommand, help=f"Restart the board: its application comes up anew, with the output off.\n\n{_HAND}"
)
def reset() -> Answer:
    """Restart the board."""
    port = resolve(port_name())
    handover.prompt_of(port, note).reset()
    return Answer({"port": port, "did": "reset"}, f"{port} restarts; `ionto status` shows whether it answers.")


@click.command(
    cls=IontoCommand,
    help=f"Send the board to its bootloader: the drive RPI-RP2 appears in place of the port.\n\n{_HAND}",
)
def bootloader() -> Answer:
    """Send the board to its bootloader."""
    port = resolve(port_name())
    handover.prompt_of(port, note).bootloader()
    text = "The board goes to its bootloader; `ionto flash` goes on from there, and plugged in anew it leaves it."
    return Answer({"port": port, "did": "bootloader"}, text)


@click.command(
    cls=IontoCommand,
    help=f"Talk to the MicroPython prompt of the board, by mpremote; Ctrl-] leaves it.\n\n{_HAND} `ionto reset` brings "
    "the application back.",
)
def repl() -> Answer:
    """Talk to the MicroPython prompt."""
    port = resolve(port_name())
    if settings().json or not can_ask():
        raise UsageError("repl is for a person at a terminal", "`mpremote connect PORT exec` is for scripts.")
    handover.prompt_of(port, note).close()
    code = subprocess.call([sys.executable, "-m", "mpremote", "connect", port, "repl"])
    if code:
        raise BoardError(f"mpremote ended with code {code}", "`ionto reset` restarts the board.")
    return Answer(None, "The board is still at its prompt; `ionto reset` restarts it.")


examples("ionto reset", "ionto reset -p e661a4d4178e3c2a")(reset)
examples("ionto bootloader")(bootloader)
examples("ionto repl")(repl)

COMMANDS = (reset, bootloader, repl)
