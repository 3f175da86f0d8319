"""Decide between maintenance (the REPL is mpremote's, no watchdog) and run. Every boot begins with the output off."""

from ionto import bootmode, hal_rp2

hal_rp2.quiet_pins()
BOOT = bootmode.Boot(hal_rp2.read_scratch(bootmode.SCRATCH_MARK), hal_rp2.maintenance_strap())
hal_rp2.write_scratch(bootmode.SCRATCH_MARK, BOOT.word())
