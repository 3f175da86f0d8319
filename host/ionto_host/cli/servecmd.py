"""The command that gives another computer the board of this one."""

from __future__ import annotations

import socket

import click

from ionto_host.cli.common import Answer, IontoCommand, examples, note, port_name, print_json, settings
from ionto_host.errors import UsageError
from ionto_host.transport.simulators import stopped_by_signals

_MOST_PORT = 65535
_OPEN_TO_ALL = (
    "Whoever reaches {} can use the board: no password, no encryption. On a network that is not the bench's own, "
    "listen on 127.0.0.1 and let clients come by `ssh -L`."
)


@click.command(cls=IontoCommand)
@click.option(
    "--listen",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Address of this computer, or ADDRESS:TCP_PORT; 0.0.0.0: all.",
)
@click.option(
    "--tcp-port",
    type=click.IntRange(0, _MOST_PORT),
    default=2217,
    show_default=True,
    help="TCP port; 0: a free one, which is printed.",
)
def serve(listen: str, tcp_port: int) -> Answer:
    """Serve the board of this computer to another one, as rfc2217:// (telnet with serial port control).

    There every command takes the URL as --port. One client at a time. Ctrl-C ends it; a session goes on without it.
    BOOTSEL is a drive and not served: the first flash of a blank Pico is made here.
    """
    from ionto_host.transport.serving import PortServer, is_local

    quiet = settings().json
    listen, tcp_port = _address(listen, tcp_port)
    server = PortServer(port_name(), (listen, tcp_port), lambda text: None if quiet else click.echo(text, err=True))
    host = socket.gethostname() if listen in ("0.0.0.0", "::") else listen
    with stopped_by_signals(server.stop):
        if quiet:
            print_json({"url": server.url(host), "port": server.port, "tcp_port": server.tcp_port})
        else:
            click.echo(f"{server.port} is served as {server.url(host)}\nCtrl-C ends it.")
        if not is_local(listen):
            note(_OPEN_TO_ALL.format(server.url(host)))
        server.serve()
    return Answer(None, "Not served any more.")


def _address(listen: str, tcp_port: int) -> tuple[str, int]:
    """Return address and TCP port; HOST:PORT names both, an address of IPv6 has more colons."""
    host, colon, number = listen.partition(":")
    if not colon or not number.isdecimal():
        return listen, tcp_port
    if int(number) > _MOST_PORT:
        raise UsageError(f"--listen {listen}: a TCP port is 0 to {_MOST_PORT}")
    return host, int(number)


examples(
    "ionto serve",
    "ionto serve --port /dev/ttyACM0 --listen 0.0.0.0 --tcp-port 2217",
    "ionto --port rfc2217://bench-pi:2217 status",
)(serve)

COMMANDS = (serve,)
