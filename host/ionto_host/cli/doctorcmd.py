"""The command that says what is wrong and what to do next."""

from __future__ import annotations

import click
from rich.console import Console

from ionto_host.cli.common import Answer, IontoCommand, examples, port_name, say, settings
from ionto_host.doctor.findings import FAIL, OK, Finding
from ionto_host.errors import ExitCode

_STYLES = {"ok": "green", "warning": "yellow", "fail": "bold red"}


@click.command(cls=IontoCommand)
@click.option("--self-test", is_flag=True, help="Run the self-test as well: 40 uA through the load for 0.1 s.")
def doctor(self_test: bool) -> Answer:
    """Look at this computer, the port and the board: what works, what does not, and what to do next.

    Each line is ok, warning or fail. Nothing is changed, and no current flows without --self-test. The exit code is 0
    without a fail, otherwise that of the first one.
    """
    from ionto_host.doctor.examination import examine

    found: list[Finding] = []
    for finding in examine(port_name(), self_test):
        found.append(finding)
        if not settings().json:
            show(finding)
    failed = [finding for finding in found if finding.level == FAIL]
    warnings = sum(finding.level not in (OK, FAIL) for finding in found)
    text = f"\n{len(found)} looked at: {len(failed)} fail, {warnings} warning."
    data = {"passed": not failed, "findings": found}
    return Answer(data, text, failed[0].exit_code if failed else ExitCode.OK)


def show(finding: Finding) -> None:
    """Print a finding: its level, name and words, and below them the next action."""
    console = Console(highlight=False, soft_wrap=True)
    style = _STYLES[finding.level]
    with console.capture() as printed:
        console.print(f"{finding.level:<8}", style=style, end="")
        console.print(f"{finding.name:<19} {finding.text}", markup=False)
        if finding.action:
            console.print(f"{'':<8}{'':<19} -> {finding.action}", style="dim", markup=False)
    say(printed.get().rstrip("\n"))


examples(
    "ionto doctor", "ionto doctor --self-test", "ionto doctor --json | jq '.findings[] | select(.level != \"ok\")'"
)(doctor)

COMMANDS = (doctor,)
