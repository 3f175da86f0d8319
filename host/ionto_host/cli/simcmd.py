"""Commands about the virtual and the emulated Pico: run one, and do to it what a person does to a board on a bench."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from ionto_host import patience
from ionto_host.board import micropython_image
from ionto_host.cli.common import Answer, IontoGroup, examples, print_json, settings
from ionto_host.errors import UsageError
from ionto_host.transport import simulators
from ionto_host.units import ma_min

if TYPE_CHECKING:
    from ionto_sim.config import SimConfig

_HELP = "See `ionto sim --help`."


def _of_the_group(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    """Return the folder that is given here, or before the command's name."""
    above = context.parent.params.get("state_dir") if context.parent else None
    return value or above


_STATE_DIR = click.option(
    "--state-dir",
    callback=_of_the_group,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of its flash and state. Default: one in the user data folder, or the only one that runs.",
)


@click.group(cls=IontoGroup, invoke_without_command=True)
@_STATE_DIR
@click.option("--variant", type=click.Choice(["A", "B"]), default="A", show_default=True, help="Build variant.")
@click.option("--load", default="skin", show_default=True, help="Load: ohms, skin, open, short, or JSON.")
@click.option("--speed", default="1", show_default=True, help="Factor of real time, or max.")
@click.option("--bench-strap", is_flag=True, help="Fit the bench strap: sessions run with USB plugged in.")
@click.option("--maintenance", is_flag=True, help="Fit the maintenance strap.")
@click.option("--emulator", is_flag=True, help="Run the real MicroPython image on an emulated RP2040. Slow.")
@click.option(
    "--image",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Its image (UF2). Default: see `ionto firmware show`.",
)
@click.option(
    "--circuit",
    type=click.Choice(["model", "spice"]),
    default="model",
    show_default=True,
    help="The fast model, or the drawing in ngspice (needs libngspice; about real time).",
)
@click.option("--bootsel", is_flag=True, help="Begin with BOOTSEL held: a drive that wants a MicroPython image.")
@click.option("--erase", is_flag=True, help="Begin with blank flash memory.")
@click.pass_context
def sim(context: click.Context, state_dir: Path | None, **options: Any) -> Answer | None:
    """Run a virtual Pico in the foreground: the real firmware in a real MicroPython, on a simulated board.

    It begins blank, as a board from the shop: `ionto flash` installs the firmware. Its flash is kept. Ctrl-C
    ends it. The commands below are given in another terminal.

    With --emulator it is an emulated Pico: the official MicroPython image on an emulated RP2040, 5 to 30 times slower
    than a board while the firmware runs. Set IONTO_PATIENCE=30 in the other terminal: `ionto` then waits for it.
    """
    if context.invoked_subcommand is not None:
        return None
    image = _image(options.pop("emulator"), options.pop("image"), options["bootsel"])
    config = simulators.configuration(state_dir, image=image, **options)
    simulators.run(config, lambda port: _tell(port, config))
    return Answer(None, f"The {_kind(config)} Pico has ended; its flash is kept.")


def _image(emulator: bool, image: Path | None, bootsel: bool) -> Path | None:
    """Return the image of an emulated Pico, None for a virtual one."""
    if image is not None and not emulator:
        raise UsageError("--image is the image of an emulated Pico, which --emulator asks for", _HELP)
    if bootsel and emulator:
        raise UsageError("--bootsel is the boot ROM of a virtual Pico; the emulated one has none", _HELP)
    return micropython_image.find(image).path if emulator else None


def _kind(config: SimConfig) -> str:
    return "emulated" if config.image else "virtual"


def _tell(port: str, config: SimConfig) -> None:
    if settings().json:
        image = {"image": config.image} if config.image else {}
        print_json({"port": port, "state_dir": config.state_dir, **image})
        return
    straps = ", bench strap" if config.bench_strap else ""
    name = f"{_kind(config).capitalize()} Pico"
    circuit = ", circuit in ngspice" if config.circuit == "spice" else ""
    click.echo(f"{name}, variant {config.variant}, load {config.load}{straps}{circuit}, speed {config.speed}.")
    if config.image:
        click.echo(f"Image: {config.image}\nIn the other terminal: export {patience.VARIABLE}=30")
    if config.bootsel:
        from ionto_sim.config import Paths

        click.echo(f"In BOOTSEL: the drive is {Paths(config.state_dir).bootsel}; `ionto flash` puts MicroPython on it.")
    click.echo(f"Port: {port}\nCtrl-C ends it.")


def _complete_fault(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [
        CompletionItem(name, help=text) for name, text in simulators.faults().items() if name.startswith(incomplete)
    ]


@sim.command("fault")
@click.argument("name", required=False, shell_complete=_complete_fault)
@click.option("--off", is_flag=True, help="Switch it off.")
@_STATE_DIR
def sim_fault(name: str | None, off: bool, state_dir: Path | None) -> Answer:
    """Switch a fault on, or list them without a NAME."""
    if name is None:
        table = simulators.faults()
        return Answer(table, "\n".join(f"{key:<22} {text}" for key, text in table.items()))
    if name not in simulators.faults():
        raise UsageError(
            f"no fault {name}; there are: {', '.join(simulators.faults())}", "`ionto sim fault` lists them."
        )
    with simulators.connect(state_dir) as pico:
        pico.fault(name, not off)
    return Answer({"fault": name, "on": not off}, f"{name} is {'off' if off else 'on'}.")


@sim.command("press")
@click.argument("button", type=click.Choice(["start", "stop"]))
@click.option("--ms", type=click.IntRange(min=1), default=2500, show_default=True, help="For how long, virtual ms.")
@_STATE_DIR
def sim_press(button: str, ms: int, state_dir: Path | None) -> Answer:
    """Press START or STOP."""
    with simulators.connect(state_dir) as pico:
        (pico.press_start if button == "start" else pico.press_stop)(ms)
    return Answer({"button": button, "ms": ms}, f"{button.upper()} pressed for {ms} ms.")


@sim.command("load")
@click.argument("spec")
@_STATE_DIR
def sim_load(spec: str, state_dir: Path | None) -> Answer:
    """Connect another load: ohms, skin, open, short, or JSON."""
    load = simulators.load_spec(spec)
    with simulators.connect(state_dir) as pico:
        pico.set_load(load)
    return Answer({"load": spec}, f"The load is {spec}.")


@sim.command("cable")
@click.argument("where", type=click.Choice(["in", "out"]))
@_STATE_DIR
def sim_cable(where: str, state_dir: Path | None) -> Answer:
    """Plug the USB cable in or pull it out."""
    with simulators.connect(state_dir) as pico:
        if where == "in":
            pico.plug()
        else:
            pico.unplug()
    return Answer({"cable": where}, f"The USB cable is {where}.")


@sim.command("reset")
@click.option("--power", is_flag=True, help="Take the power away instead, and give it again: RAM and scratch are lost.")
@_STATE_DIR
def sim_reset(power: bool, state_dir: Path | None) -> Answer:
    """Reset the Pico as by its RUN pin, or with --power by a power cut. A session ends; the next boot closes its log.

    For a watchdog reset, which is no request and latches a fault: `ionto sim fault loop_hung`.
    """
    with simulators.connect(state_dir) as pico:
        if power:
            pico.power_cut()
            pico.power_on()
        else:
            pico.reset()
    return Answer({"reset": "power" if power else "run"}, "The power was cut." if power else "Reset.")


@sim.command("meter")
@click.option(
    "--scpi",
    type=click.IntRange(0, 65535),
    metavar="TCP_PORT",
    help="Serve it on this computer as a multimeter that speaks SCPI, until Ctrl-C; 0: a free port.",
)
@_STATE_DIR
def sim_meter(scpi: int | None, state_dir: Path | None) -> Answer:
    """Show what the independent meter has seen flow since it was made.

    With --scpi it is an instrument on the network: MEAS:CURR:DC?, READ?, *IDN?, SYST:ERR?. A bench file names it as a
    meter of kind "scpi".
    """
    with simulators.connect(state_dir) as pico:
        if scpi is not None:
            return _serve_meter(str(pico.paths.root), scpi)
        meter = pico.meter()
    now, peak = meter.now_ua / 1000, meter.peak_ua / 1000
    return Answer(vars(meter), f"{now:.3f} mA now, {peak:.3f} mA at most, {ma_min(meter.charge_uc):.3f} mA*min")


def _serve_meter(folder: str, tcp_port: int) -> Answer:
    def ready(resource: str) -> None:
        if settings().json:
            print_json({"resource": resource})
        else:
            click.echo(f"The meter is {resource}\nCtrl-C ends it.")

    simulators.serve_meter(folder, tcp_port, ready)
    return Answer(None, "The meter is not served any more.")


examples(
    "ionto sim --bench-strap",
    "ionto sim --speed max --load 4700 --bench-strap",
    "ionto sim --emulator",
    "ionto sim --circuit spice --speed max --bench-strap",
    "ionto sim --bootsel",
)(sim)
examples("ionto sim fault", "ionto sim fault electrode_lift", "ionto sim fault electrode_lift --off")(sim_fault)
examples("ionto sim press start", "ionto sim press stop --ms 300")(sim_press)
examples("ionto sim load 4700", "ionto sim load open")(sim_load)
examples("ionto sim cable out", "ionto sim cable in")(sim_cable)
examples("ionto sim reset", "ionto sim reset --power")(sim_reset)
examples("ionto sim meter", "ionto sim meter --json", "ionto sim meter --scpi 5025")(sim_meter)

COMMANDS = (sim,)
