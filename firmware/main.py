"""Wire the objects and run. Whatever ends the application cuts the output first."""

import micropython

from ionto import hal_rp2, limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ionto.bootmode import Boot


def run(boot: "Boot") -> None:
    """Run the application until it leaves for maintenance, then reset into it."""
    from ionto.app import App
    from ionto.serialport import SerialPort

    build = limits.for_variant(hal_rp2.read_variant())
    if limits.broken_relations(build):
        raise ValueError("limits contradict each other: %s" % limits.broken_relations(build))
    hal = hal_rp2.Hal(build)
    try:
        micropython.kbd_intr(-1)
        App(hal, hal_rp2, SerialPort(), boot, build).run()
    finally:
        hal.cut_off()
        micropython.kbd_intr(3)
    hal_rp2.reset()


_boot = globals()["BOOT"]  # left by boot.py, which shares these globals
if _boot.maintenance:
    hal_rp2.quiet_pins()
    print("IontoPico maintenance: the output is off, the application is not running. Reset to leave.")
else:
    run(_boot)
