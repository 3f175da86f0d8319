"""What boot.py and main.py call: decide what this boot is for, wire the objects, run. Output off first and last."""

import gc

import ionto_pack
from ionto import bootmode, hal_rp2, limits
from ionto.compat import const

MISMATCH = (
    "The range strap says variant %s, this board was set up as %s: correct the strap on GP8. If its parts are those of "
    "the other variant, remove %s and reset."
)

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from ionto.app import App
    from ionto.bootmode import Boot

_COLLECT_BYTES = const(210_000)  # nearly the heap: a collection among the imports takes 25 ms and frees little


def boot() -> "Boot":
    """Drive the pins that can pass current low, and tell from the scratch register what this boot is."""
    hal_rp2.quiet_pins()
    found = bootmode.Boot(hal_rp2.read_scratch(bootmode.SCRATCH_MARK), hal_rp2.maintenance_strap())
    hal_rp2.write_scratch(bootmode.SCRATCH_MARK, found.word())
    ionto_pack.widen()
    return found


def main(found: "Boot") -> None:
    """Run the application, or leave the REPL to mpremote when this boot is for maintenance."""
    if found.maintenance:
        rest("Reset to leave.")
    else:
        run(found)


def rest(why: str) -> None:
    """Leave the board to the REPL: pins quiet, the lights say so, and `why` for whoever reads the port."""
    hal_rp2.quiet_pins()
    hal_rp2.light_maintenance()
    ionto_pack.widen()
    print("IontoPico maintenance: the output is off, the application is not running. " + why)


def run(found: "Boot") -> None:
    """Run the application until it leaves for maintenance, then reset into it. Whatever ends it, the output is cut."""
    app = wire(found)
    if app is None:
        return
    try:
        app.begin()
        while app.tick():
            pass
    finally:
        app.end()
    hal_rp2.reset()


def wire(found: "Boot") -> "App | None":
    """Return the application of this board, output off: `begin` it, `tick` it, `end` it.

    None when the range strap and the configuration disagree: the board is at rest in maintenance then.
    """
    gc.threshold(_COLLECT_BYTES)
    ionto_pack.narrow()
    from ionto.app import App
    from ionto.serialport import SerialPort
    from ionto.settings import PATH, Settings

    build = limits.for_variant(hal_rp2.read_variant())
    if limits.broken_relations(build):
        raise ValueError("limits contradict each other: %s" % limits.broken_relations(build))
    kept = Settings(build)
    if kept.variant != build.variant:
        rest(MISMATCH % (build.variant, kept.variant, PATH))
        return None
    return App(hal_rp2.Hal(build), hal_rp2, SerialPort(), found, build, kept)
