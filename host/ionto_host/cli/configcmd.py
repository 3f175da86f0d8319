"""Commands about the tool itself: its settings, and completion in the shell."""

from __future__ import annotations

import os

import click
from click.shell_completion import get_completion_class

from ionto_host import config
from ionto_host.cli.common import COMPLETE_VARIABLE, Answer, IontoCommand, IontoGroup, examples, table

_WHERE = {
    "bash": "ionto completion bash > ~/.local/share/bash-completion/completions/ionto",
    "zsh": "ionto completion zsh > ~/.zfunc/_ionto   # with fpath+=~/.zfunc before compinit in ~/.zshrc",
    "fish": "ionto completion fish > ~/.config/fish/completions/ionto.fish",
}
_NAMES = click.Choice([setting.name for setting in config.SETTINGS])


@click.group("config", cls=IontoGroup)
def config_group() -> None:
    """Settings that hold for every command, in a file.

    An option has the last word, then the environment variable, then the file.
    """


@config_group.command("show")
def show() -> Answer:
    """Show every setting, its value, and where it comes from."""
    kept = config.read()
    rows, data = [], {}
    for setting in config.SETTINGS:
        value = os.environ.get(setting.variable, "")
        source = setting.variable if value and value != kept.get(setting.name) else "file" if value else "default"
        rows.append([setting.name, value or "-", source, setting.text])
        data[setting.name] = {"value": value or None, "source": source, "variable": setting.variable}
    text = table(rows, ["setting", "value", "from", "what it is"])
    return Answer({"path": config.path(), "settings": data}, f"{text}\n\nFile: {config.path()}")


@config_group.command("set")
@click.argument("name", type=_NAMES)
@click.argument("value")
def set_value(name: str, value: str) -> Answer:
    """Set NAME to VALUE in the file."""
    config.change(name, value)
    return Answer({"name": name, "value": value}, f"{name} is {value}, in {config.path()}.")


@config_group.command("unset")
@click.argument("name", type=_NAMES)
def unset(name: str) -> Answer:
    """Remove NAME from the file."""
    config.change(name, None)
    return Answer({"name": name, "value": None}, f"{name} is as by default again.")


@click.command(cls=IontoCommand)
@click.argument("shell", type=click.Choice(sorted(_WHERE)))
@click.pass_context
def completion(context: click.Context, shell: str) -> Answer:
    """Print the completion script of SHELL, which completes commands, options, ports and files."""
    kind = get_completion_class(shell)
    assert kind is not None
    source = kind(context.find_root().command, {}, "ionto", COMPLETE_VARIABLE).source()
    return Answer({"shell": shell, "script": source}, source)


examples("ionto config show", "ionto config set port e661a4d4178e3c2a")(config_group)
examples("ionto config show", "ionto config show --json")(show)
examples("ionto config set port e661a4d4178e3c2a", "ionto config set logs ~/ionto-logs")(set_value)
examples("ionto config unset port")(unset)
examples(*_WHERE.values())(completion)

COMMANDS = (config_group, completion)
