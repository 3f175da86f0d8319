"""What every command shares: the common options, the answer a command returns, and opening the device."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from ionto_host.errors import EXIT_CODE_HELP, ExitCode

if TYPE_CHECKING:  # imported where they are used: `ionto --help` needs neither
    from rich.console import Console

    from ionto_host.device.client import Device

COMPLETE_VARIABLE = "_IONTO_COMPLETE"  # in the environment while a shell completes
_EXIT_CODES = [(f"{int(code):>3}", text) for code, text in EXIT_CODE_HELP.items()]


@dataclasses.dataclass
class Settings:
    """The common options as given, before or after the subcommand."""

    port: str | None = None
    json: bool = False
    verbose: bool = False
    leave_clock: bool = False
    told_clock: bool = False  # once is enough
    opened: bool = False  # a device was spoken to: an interruption says what it does now
    force: bool = False  # a file of another kind may be overwritten by an output
    stdout_taken: bool = False  # an output went to standard output: the answer in words goes to stderr
    left: str = ""  # what an interruption leaves behind, where the command knows it better


@dataclasses.dataclass
class Answer:
    """What a command returns: `data` for `--json` (None: all was printed), `text` for a person, exit code."""

    data: Any
    text: str
    exit_code: ExitCode = ExitCode.OK


def store(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keep the option `parameter` among the settings of the command that runs."""
    settings = context.ensure_object(Settings)
    if value and parameter.name:
        setattr(settings, parameter.name, value)


def _complete_port(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from ionto_host.transport.ports import discover

    found = [CompletionItem(info.port, help=info.description) for info in discover()]
    return [item for item in found if item.value.startswith(incomplete)]


def _common_options() -> list[click.Option]:
    return [
        click.Option(
            ["--port", "-p"],
            metavar="PORT",
            callback=store,
            expose_value=False,
            shell_complete=_complete_port,
            help="Port, serial number or pyserial URL. Default: IONTO_PORT, or the only device.",
        ),
        click.Option(["--json"], is_flag=True, callback=store, expose_value=False, help="Print JSON on stdout."),
        click.Option(
            ["--leave-clock"],
            is_flag=True,
            callback=store,
            expose_value=False,
            help="Leave a clock that is not set. Default: set it from this computer.",
        ),
        click.Option(
            ["--verbose", "-v"],
            is_flag=True,
            callback=store,
            expose_value=False,
            help="Show tracebacks of errors.",
        ),
    ]


class _WithExitCodes(click.Command):
    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the exit codes mean, and the examples."""
        with formatter.section("Exit codes"):
            formatter.write_dl(_EXIT_CODES)
        super().format_epilog(ctx, formatter)


def _with_short_help(kwargs: dict[str, Any]) -> dict[str, Any]:
    names = {"help_option_names": ["-h", "--help"]}
    return {**kwargs, "context_settings": {**names, **(kwargs.get("context_settings") or {})}}


class IontoCommand(_WithExitCodes):
    """A command with the common options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **_with_short_help(kwargs))
        self.params.extend(_common_options())


class IontoGroup(_WithExitCodes, click.Group):
    """A group with the common options, whose commands and groups have them too."""

    command_class = IontoCommand
    group_class = type
    elsewhere: Mapping[str, str] = {}  # words that people type, and the command that they mean

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **_with_short_help(kwargs))
        self.params.extend(_common_options())

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that `args` begin with; the usage error of an unknown one names what may be meant."""
        name = args[0]
        if self.get_command(ctx, name) or name.startswith("-"):
            return super().resolve_command(ctx, args)
        meant = [self.elsewhere[name]] if name in self.elsewhere else get_close_matches(name, self.list_commands(ctx))
        hint = f" Did you mean {' or '.join(f'`{ctx.command_path} {item}`' for item in meant)}?" if meant else ""
        raise click.UsageError(f"No such command '{name}'.{hint}", ctx)


def settings() -> Settings:
    """Return the common options of the command that runs."""
    return click.get_current_context().ensure_object(Settings)


def open_device() -> Device:
    """Return the device that `--port` or IONTO_PORT names, or the only one; to be used in a `with`.

    A clock that is not set is set from this computer, unless `--leave-clock`.
    """
    from ionto_host.device.client import Device

    settings().opened = True
    device = Device.open(port_name())
    try:
        meet(device)
    except BaseException:
        device.close()
        raise
    return device


def meet(device: Device) -> None:
    """Set the clock of a device that was just opened, when it is not set; say so once."""
    from ionto_host.device.clock import set_if_unset

    if not settings().leave_clock:
        set_if_unset(device, _tell_clock)


def _tell_clock(text: str) -> None:
    if not settings().told_clock:
        note(text)
    settings().told_clock = True


def port_name() -> str | None:
    """Return what `--port` or IONTO_PORT says, None for neither."""
    return settings().port or os.environ.get("IONTO_PORT") or None


def stderr() -> Console:
    """Return the console for prompts and progress; colour as the terminal and NO_COLOR say."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def note(text: str) -> None:
    """Tell a person something that is not the answer; silent with `--json`."""
    if not settings().json:
        click.echo(text, err=True)


def plain_data(value: Any) -> Any:
    """Return `value` in terms of JSON: dataclasses as dicts, paths as text, decimal numbers as numbers."""
    if isinstance(value, Decimal):
        return float(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain_data(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain_data(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_data(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def print_json(value: Any) -> None:
    """Print `value` as one line of JSON on stdout; OSError when nobody reads it, or the disk is full."""
    click.echo(json_line(value))


def json_line(value: Any) -> str:
    """Return `value` as one line of JSON that stdout's encoding can hold."""
    plain = "utf" not in (getattr(sys.stdout, "encoding", None) or "").lower()
    return json.dumps(plain_data(value), ensure_ascii=plain)


def say(text: str) -> None:
    """Print `text` on stdout. When nobody reads it any more, as behind `head`, the command ends as it would have."""
    try:
        click.echo(text)
    except BrokenPipeError:
        close_stdout()


def close_stdout() -> None:
    """Let what is still printed go nowhere: nobody reads it, or the disk is full."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def finish(answer: Answer | None) -> None:
    """Print the answer of a command as text or JSON and exit as it says."""
    if answer is None:
        return
    if settings().json:
        if answer.data is not None:
            say(json_line(answer.data))
    elif answer.text and settings().stdout_taken:
        click.echo(answer.text, err=True)
    elif answer.text:
        say(answer.text)
    if answer.exit_code:
        click.get_current_context().exit(int(answer.exit_code))


def current_ua(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Return a current given in mA as whole uA, or fail as a usage error."""
    if value is None:
        return None
    try:
        scaled = Decimal(value) * 1_000
    except InvalidOperation:
        raise click.BadParameter(f"{value!r} is not a number") from None
    if not scaled.is_finite() or scaled != scaled.to_integral_value() or not 0 < scaled <= 0xFFFF:
        raise click.BadParameter(f"{value} mA: a current above 0 in steps of 0.001 mA is expected")
    return int(scaled)


def examples(*lines: str) -> Callable[[click.Command], click.Command]:
    """Give a command an Examples section in its help."""

    def add(command: click.Command) -> click.Command:
        command.epilog = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
        return command

    return add


def table(rows: list[list[str]], heads: list[str], columns: int | None = None) -> str:
    """Return `rows` as aligned columns under `heads`, `columns` letters wide at most: the terminal's, when it is one.

    Cells go on in the next line between words; a word is never broken, so that a path can be copied.
    """
    columns = columns or (shutil.get_terminal_size().columns if sys.stdout.isatty() else _UNLIMITED)
    every = [heads, *rows]
    widths = _widths(every, columns)
    lines: list[str] = []
    for row in every:
        cells = [textwrap.wrap(cell, max(width, 1), **_WHOLE_WORDS) for cell, width in zip(row, widths, strict=True)]
        for parts in zip_longest(*cells, fillvalue=""):
            lines.append("  ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip())
        if not any(cells):
            lines.append("")
    return "\n".join(lines)


_UNLIMITED = 1_000_000
_WHOLE_WORDS: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False, "drop_whitespace": True}


def _widths(every: list[list[str]], columns: int) -> list[int]:
    """Return a width for each column of the rows `every`: the widest give way, down to their longest word."""
    widths = [max(len(row[index]) for row in every) for index in range(len(every[0]))]
    least = [max(len(word) for row in every for word in [*row[index].split(), ""]) for index in range(len(every[0]))]
    while sum(widths) + 2 * (len(widths) - 1) > columns:
        wide = [index for index, width in enumerate(widths) if width > least[index]]
        if not wide:
            return widths
        widths[max(wide, key=lambda index: widths[index])] -= 1
    return widths


def is_terminal() -> bool:
    """Return True when stderr is a person's terminal."""
    return sys.stderr.isatty()


def can_ask() -> bool:
    """Return True when a person can be asked: stdin and stderr are a terminal."""
    return sys.stdin.isatty() and is_terminal()
