"""The top of `ionto`: it knows every command by name and summary, and imports the module of one when it is used.

So `ionto --help`, completion, and each single command load nothing that they do not need.
"""

from __future__ import annotations

from importlib import import_module

import click
from click.shell_completion import CompletionItem

from ionto_host.cli.common import IontoGroup

# Module of `ionto_host.cli`, and the commands in its COMMANDS with what `ionto --help` says of each.
MODULES: dict[str, dict[str, str]] = {
    "board": {
        "devices": "List the boards and the running simulators.",
        "info": "Show who the device is: firmware, variant, limits.",
        "clock": "The clock of the device, which dates its logs.",
        "maintenance": "Send the application to the MicroPython prompt.",
    },
    "handovercmd": {
        "reset": "Restart the board.",
        "bootloader": "Send the board to its bootloader.",
        "repl": "Talk to the MicroPython prompt of the board.",
    },
    "doctorcmd": {"doctor": "Look at computer, port and board; what to do next."},
    "calibratecmd": {"calibrate": "Calibrate the current against a reference meter."},
    "flashcmd": {"flash": "Install the firmware on a board, a blank one too."},
    "limitscmd": {"limits": "Highest current, dose and density of this board."},
    "presetscmd": {"presets": "Conditions and drugs, every figure with its source."},
    "dosecmd": {"dose": "Dose files: write, check, push to the device, show."},
    "session": {
        "start": "Arm the device and start the session of its dose.",
        "pause": "Pause the session; the charge count is kept.",
        "resume": "Resume a paused session with a ramp up.",
        "abort": "End the session; accepted in every state.",
        "clear": "Clear a latched fault, when its cause is gone.",
        "selftest": "Run the self-test; show every value with its range.",
        "status": "Show what the device does now.",
    },
    "comfortcmd": {"comfort": "Report tingling, stinging or pain; the current only falls."},
    "monitorcmd": {"monitor": "Watch the session until it ends."},
    "logusecmd": {
        "logs": "Session logs: list, pull, show, verify, plot, export.",
        "report": "Write a session's report, one page of HTML.",
    },
    "coursecmd": {"course": "Courses: sessions of one subject code over weeks."},
    "benchcmd": {"bench": "A board on a bench: wiring, check, suite, report."},
    "simcmd": {"sim": "Run a virtual Pico: the real firmware, no board."},
    "servecmd": {"serve": "Serve this computer's board to another one."},
    "firmwarecmd": {"firmware": "Fetch and show the MicroPython image for a board."},
    "configcmd": {
        "config": "Settings that hold for every command, in a file.",
        "completion": "Print the completion script of a shell.",
    },
}
SUMMARIES = {name: text for commands in MODULES.values() for name, text in commands.items()}
_MODULE_OF = {name: module for module, commands in MODULES.items() for name in commands}


ELSEWHERE = {
    "check": "dose check",
    "clock-set": "clock set",
    "diff": "logs diff",
    "end": "abort",
    "export": "logs export",
    "fault": "sim fault",
    "install": "flash",
    "list": "logs list",
    "log": "logs show",
    "plot": "logs plot",
    "pull": "logs pull",
    "push": "dose push",
    "show": "logs show",
    "simulate": "sim",
    "stop": "abort",
    "test": "selftest",
    "update": "flash",
    "upgrade": "flash",
    "verify": "logs verify",
    "watch": "monitor",
}


class LazyGroup(IontoGroup):
    """The group of all commands."""

    elsewhere = ELSEWHERE

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, sorted; imports none."""
        return sorted(SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command `cmd_name` after importing its module, None for an unknown one."""
        if cmd_name in _MODULE_OF and cmd_name not in self.commands:
            for command in import_module(f"ionto_host.cli.{_MODULE_OF[cmd_name]}").COMMANDS:
                self.add_command(command)
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the names and summaries."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, SUMMARIES[name]) for name in self.list_commands(ctx)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command, or an option of the group."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        return [CompletionItem(name, help=SUMMARIES[name]) for name in names] + click.Command.shell_complete(
            self, ctx, incomplete
        )
