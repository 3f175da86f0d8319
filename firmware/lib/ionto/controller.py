"""Integer current controller: feed-forward from the set-point, and a bounded integral that trims the rest."""

from array import array

from ionto import kernel


class Controller:
    """Turns a set-point and a measured current (uA) into a PWM duty (0 to `top`).

    Anti-windup: the integral is bounded by what the circuit's tolerances can explain, and it stands still
    while the current does not follow (sink fully on: contact too poor, electrode lifted), so re-contact finds no push.
    """

    def __init__(self, full_scale_ua: int, top: int):
        self.block = array("i", [kernel.K_BIAS, full_scale_ua, top, 0])

    def reset(self) -> None:
        """Forget the trim; call it whenever the output goes off."""
        self.block[kernel.K_INTEGRAL] = kernel.K_BIAS

    def trim_ua(self) -> int:
        """Return the present integral correction, in uA."""
        return (self.block[kernel.K_INTEGRAL] - kernel.K_BIAS) >> kernel.K_SHIFT

    def step(self, setpoint_ua: int, measured_ua: int, steady: int = 1) -> int:
        """Return the duty for this cycle; both currents in uA. Set-point 0 gives duty 0 and no memory.

        `steady` (0 or 1): the current follows the set-point, so that its error may be learnt.
        """
        if setpoint_ua <= 0:
            self.block[kernel.K_INTEGRAL] = kernel.K_BIAS
        duty = kernel.control(self.block, setpoint_ua, measured_ua, steady)
        self.block[kernel.K_DUTY] = duty
        return duty
