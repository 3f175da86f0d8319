"""What hides from every self-test and is found by a person: the fault, and the step of `ionto selftest --bench`.

Only a second fault shows it, so it is a violation of none of the sessions until then. docs/hazards.md says how often
the steps are to be done.
"""

from __future__ import annotations

from collections.abc import Mapping

# Fault: the step, and why nothing else can find it. Tests hold the steps to the command and the faults to the drawing.
FOUND: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("HS_SRC:RAIL_24V:800", "HS_SRC:RAIL_24V:200"),
        ("limiters", "what leaks past both limiters passes the second shunt too: it shows only when they have to hold"),
    ),
    "SW1:1-2:short": ("stop", "only pressing STOP shows whether its contact opens"),
    "A1:13-40:short": ("interlock", "with VBUS at ground no computer is seen, and none gives power or a dose"),
}
