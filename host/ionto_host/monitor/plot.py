"""The window of `ionto monitor --plot`: current against set-point, and the voltage of the load, as they come."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ionto_host.errors import MissingPartError
from ionto_host.monitor.history import History
from ionto_host.units import ma_min

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INSTALL = "Install the extra: pipx inject iontopico matplotlib; or leave `--plot` away."
_WINDOW = (
    "A window needs a screen (over ssh: `ssh -X`) and a toolkit (Debian: apt install python3-tk; or pipx inject "
    "iontopico PyQt6). Without: leave `--plot` away, and `ionto logs plot` draws the log afterwards."
)


class SessionFigure:
    """A figure of a `History`; `update` draws what is new."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        current, voltage = figure.subplots(2, 1, sharex=True)
        self._axes: tuple[Any, Any] = (current, voltage)
        (self._set,) = current.plot([], [], color="0.6", drawstyle="steps-post", label="set-point")
        (self._current,) = current.plot([], [], color="tab:blue", label="measured")
        (self._voltage,) = voltage.plot([], [], color="tab:orange")
        current.set_ylabel("current, mA")
        current.legend(loc="lower right")
        voltage.set_ylabel("load, V")
        voltage.set_xlabel("time of the session, s")
        for axes in self._axes:
            axes.grid(alpha=0.3)

    def update(self, history: History) -> None:
        """Draw the points of `history`."""
        points = list(history.points)
        times = [point[0] for point in points]
        for line, place in ((self._current, 1), (self._set, 2), (self._voltage, 3)):
            line.set_data(times, [point[place] / 1000 for point in points])
        for axes, places in ((self._axes[0], (1, 2)), (self._axes[1], (3,))):
            top = max((point[place] for point in points for place in places), default=0) / 1000
            axes.set_ylim(0, top * 1.1 or 1)
            axes.set_xlim(0, times[-1] * 1.02 if times and times[-1] else 1)
        status = history.status
        if status is not None:
            seen = "  NOT SEEN" if history.gap else ""
            charge = f"{ma_min(status.charge_uc):.3f} of {ma_min(status.dose_uc):g} mA*min"
            self._axes[0].set_title(f"{status.state_name}  {charge}{seen}")


class LivePlot:
    """A window that follows a `History`. `MissingPartError` without matplotlib, a screen, or a window toolkit."""

    def __init__(self) -> None:
        try:
            import matplotlib
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise MissingPartError("matplotlib is not installed", _INSTALL) from error
        try:
            self._figure = plt.figure("IontoPico", figsize=(9, 6), layout="constrained")
        except ImportError as error:  # a toolkit that was asked for by name, and is not there or has no screen
            raise MissingPartError(f"no window can be opened: {error}", _WINDOW) from error
        if self._figure.canvas.required_interactive_framework is None:  # drawn into memory only
            plt.close(self._figure)
            backend = matplotlib.get_backend()
            raise MissingPartError(f"no window can be opened (matplotlib's backend is {backend})", _WINDOW)
        self._plt = plt
        self._shown = SessionFigure(self._figure)
        plt.show(block=False)

    def update(self, history: History) -> None:
        """Draw what is new."""
        if self._open():
            self._shown.update(history)
            self._figure.canvas.draw_idle()

    def pause(self, seconds: float) -> None:
        """Let the window answer for so many seconds; a closed one takes them as well."""
        if self._open():
            self._figure.canvas.start_event_loop(seconds)
        else:
            time.sleep(seconds)

    def stay(self) -> None:
        """Leave the window open until the person closes it."""
        self._plt.show(block=True)

    def _open(self) -> bool:
        return self._plt.fignum_exists(self._figure.number)
