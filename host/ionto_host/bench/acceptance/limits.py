"""What the suite accepts, in one place. Sources: docs/performance.md, docs/hazards.md, hardware/README.md."""

from __future__ import annotations

ACCURACY_PPM = 5_000  # of the current
ACCURACY_UA = {"A": 2.5, "B": 12.5}  # beside it: half a per cent of the smallest current that the loop dithers at
CHARGE_PPM = 5_000  # of the dose
OVERSHOOT_PPM = 20_000  # of the set-point, beside ACCURACY_UA; of single 1 ms readings, noise and dither included
RAMP_TIME_PPM = 50_000  # of the ramp's time, between a tenth and nine tenths of the current
RAMP_SHAPE_PPM = 30_000  # of the set-point, off the straight line between these two
CUT_MS = 120.0  # STOP and abort cut faster; what is seen is limited by how often the meter reads
TICK_US = 1_000.0
TICK_PPM = 10_000  # of the mean period
STEP_MAX_US = 500.0  # half of each millisecond is left
LATE_MAX_US = 2_500.0  # what the firmware itself takes for late
