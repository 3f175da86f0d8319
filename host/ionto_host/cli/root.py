"""All commands of `ionto`: one module for each group of them, and the one place where errors end."""

from __future__ import annotations

import sys
import traceback

import click

from ionto.version import FIRMWARE_VERSION, PROTOCOL_VERSION
from ionto_host import errors
from ionto_host.cli import (
    board,
    coursecmd,
    dosecmd,
    firmwarecmd,
    limitscmd,
    logscmd,
    monitorcmd,
    presetscmd,
    session,
    simcmd,
)
from ionto_host.cli.common import Answer, IontoGroup, examples, finish, print_json

_EXIT_CODES = "\n".join(f"  {int(code):>3}  {text}" for code, text in errors.EXIT_CODE_HELP.items())


@click.group(
    cls=IontoGroup,
    help="Drive an IontoPico: flash it, push a dose, watch the session, pull and prove its log.\n\n"
    "For bench work, teaching and research; not a cleared medical device.\n\n"
    f"\b\nExit codes:\n{_EXIT_CODES}",
)
@click.version_option(
    FIRMWARE_VERSION, message=f"ionto %(version)s, firmware {FIRMWARE_VERSION}, protocol {PROTOCOL_VERSION}"
)
def root() -> None:
    """Hold the commands; the common options are stored by their callbacks."""


examples(
    "ionto devices",
    "ionto flash",
    "ionto dose push examples/bench_resistor.toml",
    "ionto start",
    "ionto monitor",
)(root)

for _module in (board, limitscmd, presetscmd, dosecmd, session, monitorcmd, logscmd, coursecmd, simcmd, firmwarecmd):
    for _command in _module.COMMANDS:
        root.add_command(_command)


@root.result_callback()
def _finish(answer: Answer | None) -> None:
    finish(answer)


def run(arguments: list[str]) -> int:
    """Run `ionto` with `arguments` and return its exit code."""
    try:
        code = root.main(args=list(arguments), prog_name="ionto", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Abort:
        return _fail(KeyboardInterrupt(), arguments)
    except click.ClickException as error:
        return _fail_usage(error, arguments)
    except SystemExit:  # click ends so when nobody reads stdout any more
        return int(errors.ExitCode.IO)
    except (Exception, KeyboardInterrupt) as error:
        return _fail(error, arguments)


def _fail(error: BaseException, arguments: list[str]) -> int:
    told = errors.report(error)
    if "--verbose" in arguments:
        traceback.print_exception(error, file=sys.stderr)
    if "--json" in arguments:
        print_json(told.as_dict())
    else:
        click.echo(told.as_text(), err=True)
    return int(told.exit_code)


def _fail_usage(error: click.ClickException, arguments: list[str]) -> int:
    if "--json" in arguments:
        context = getattr(error, "ctx", None)
        where = context.command_path if context else "ionto"
        return _fail(errors.UsageError(error.format_message(), f"See `{where} --help`."), arguments)
    error.show()
    return int(errors.ExitCode.USAGE)
