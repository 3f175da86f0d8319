"""The command `ionto` itself: its common options and version, and the one place where errors end."""

from __future__ import annotations

import os
import sys
import traceback
from dataclasses import replace

import click

from ionto.version import FIRMWARE_VERSION, LOG_FORMAT_VERSION, PROTOCOL_VERSION
from ionto_host import config, errors
from ionto_host.cli.common import (
    COMPLETE_VARIABLE,
    Answer,
    Settings,
    can_ask,
    close_stdout,
    examples,
    finish,
    print_json,
)
from ionto_host.cli.lazy import LazyGroup


def _tell_version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from ionto_host.board.micropython_image import VERSION

        if context.ensure_object(Settings).json:
            fits = {"protocol": PROTOCOL_VERSION, "log_format": LOG_FORMAT_VERSION, "micropython": VERSION}
            print_json({"ionto": FIRMWARE_VERSION, "firmware": FIRMWARE_VERSION, **fits})
            context.exit()
        click.echo(
            f"ionto {FIRMWARE_VERSION}, carries firmware {FIRMWARE_VERSION} for MicroPython {VERSION}.\n"
            f"Talks to boards with protocol {PROTOCOL_VERSION}; `ionto flash` brings older ones up to date.\n"
            f"Writes log format {LOG_FORMAT_VERSION}, reads it and all before."
        )
        context.exit()


@click.group(
    cls=LazyGroup,
    help="Drive an IontoPico: flash it, push a dose, watch the session, pull and prove its log.\n\n"
    "For bench work, teaching and research; not a cleared medical device.\n\n"
    "Settings: options, then environment variables (IONTO_PORT ...; NO_COLOR), then a file: `ionto config show`.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_tell_version,
    help="Show the version and which boards, MicroPython and logs fit it.",
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


@root.result_callback()
def _finish(answer: Answer | None) -> None:
    finish(answer)


def run(arguments: list[str]) -> int:
    """Run `ionto` with `arguments` and return its exit code."""
    given = Settings(json="--json" in arguments)
    try:
        with config.environment():
            code = _run(arguments, given)
    except errors.IontoError as error:  # the settings file
        code = _fail(error, arguments, given)
    return _flushed(code)


def _flushed(code: int) -> int:
    """Return `code` once stdout has taken all, else say what it did not take; a reader who has gone is no error."""
    try:
        sys.stdout.flush()
    except OSError as error:
        close_stdout()
        if isinstance(error, BrokenPipeError):
            return code
        click.echo(errors.report(error).as_text(), err=True)
        return code or int(errors.ExitCode.IO)
    return code


def _run(arguments: list[str], given: Settings) -> int:
    try:
        code = root.main(args=list(arguments), prog_name="ionto", standalone_mode=False, obj=given)
        return code if isinstance(code, int) else 0
    except click.exceptions.Abort as abort:
        if abort.__cause__ is None:  # of a question, whose line click leaves open
            click.echo(err=True)
        nobody = isinstance(abort.__context__, EOFError) and not can_ask()
        return _fail(_nobody(), arguments, given) if nobody else _interrupted(arguments, given)
    except click.ClickException as error:
        return _fail_usage(error, arguments, given)
    except SystemExit as end:  # click ends so after completing, and when nobody reads stdout any more
        completed = COMPLETE_VARIABLE in os.environ and isinstance(end.code, int)
        return int(end.code) if completed and end.code is not None else int(errors.ExitCode.IO)
    except KeyboardInterrupt:
        return _interrupted(arguments, given)
    except Exception as error:
        return _fail(error, arguments, given)


def _nobody() -> errors.UsageError:
    return errors.UsageError(
        "a question was asked and the input ended: there is no terminal to ask at",
        "Answer with an option; `--help` of the command names it.",
    )


def _interrupted(arguments: list[str], given: Settings) -> int:
    """End after Ctrl-C, with a word about the device if one was spoken to."""
    told = errors.report(KeyboardInterrupt())
    if given.left:
        told = replace(told, action=given.left)
    elif given.opened:
        from ionto_host.device.whereabouts import whereabouts

        told = replace(told, action=whereabouts(given.port))
    return _tell(told, arguments)


def _fail(error: BaseException, arguments: list[str], given: Settings) -> int:
    if given.verbose or "--verbose" in arguments:
        traceback.print_exception(error, file=sys.stderr)
    return _tell(errors.report(error), arguments)


def _tell(told: errors.ErrorReport, arguments: list[str]) -> int:
    if "--json" in arguments:
        try:
            print_json(told.as_dict())
            return int(told.exit_code)
        except OSError:  # stdout takes nothing: a person may still read it
            close_stdout()
    click.echo(told.as_text(), err=True)
    return int(told.exit_code)


def _fail_usage(error: click.ClickException, arguments: list[str], given: Settings) -> int:
    if "--json" in arguments:
        context = getattr(error, "ctx", None)
        where = context.command_path if context else "ionto"
        return _fail(errors.UsageError(error.format_message(), f"See `{where} --help`."), arguments, given)
    error.show()
    return int(errors.ExitCode.USAGE)
