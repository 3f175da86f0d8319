"""The command that calibrates the current measurement against a reference meter."""

from __future__ import annotations

from typing import Any

import click

from ionto_host.board import meters
from ionto_host.board.calibrating import Calibrated, Point, Trim, calibrate, worst_ppm
from ionto_host.cli.common import Answer, IontoCommand, current_ua, examples, note, open_device, table
from ionto_host.device.hand import with_hand
from ionto_host.device.messages import calibration_words
from ionto_host.errors import ExitCode
from ionto_host.units import percent, signed_percent

_GUIDE = (
    "Wiring: a resistor of 1 k to 4.7 k where the electrodes would go, the reference meter in series with it, the "
    "bench strap fitted. Nobody is connected. The output is switched on for some seconds a point."
)


@click.command("calibrate", cls=IontoCommand)
@click.option(
    "--meter",
    "kind",
    type=click.Choice(sorted(meters.METERS)),
    default="typed",
    show_default=True,
    help="Who reads the meter.",
)
@click.option("--meter-name", default="", help="Which meter it is; kept on the board, at most 40 characters.")
@click.option(
    "--low-ma",
    callback=current_ua,
    metavar="MA",
    help="Low point. Default: 20 % of the highest current.",
)
@click.option("--high-ma", callback=current_ua, metavar="MA", help="High point. Default: 90 % of it.")
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option("--show", is_flag=True, help="Show the calibration that holds; measure nothing.")
@click.option("--remove", is_flag=True, help="Remove the calibration: the sensor's own scale holds.")
def calibrate_command(
    kind: str, meter_name: str, low_ma: int | None, high_ma: int | None, yes: bool, show: bool, remove: bool
) -> Answer:
    """Calibrate the current measurement against a reference meter: zero, then gain at two points.

    The meter is in series with a resistor; its zero is read with the output off. Each point is a session of some
    seconds, with its self-test and its log. What is found is shown, written when confirmed, and checked at three
    points; implausible values (gain beyond 2 %, zero beyond 10 uA) are refused. The board keeps it with date and CRC,
    writes it into every log's header, and holds a calibration dose without a start left: push your own again.

    Needs a hand on the board: the bench strap. Ctrl-C ends the session and leaves the old calibration.
    """
    with open_device() as device:
        if show:
            return _shown(device.read_calibration())
        if remove:
            return _shown(with_hand(lambda: device.write_calibration({}), note))
        meter = meters.open_meter(kind, meter_name, _ask, device.link.name)
        note(_GUIDE)
        done = calibrate(device, meter, note, _confirm(yes), (low_ma, high_ma))
    if done is None:
        text = "Not written; the board has the calibration that it had before."
        return Answer({"written": False}, text, ExitCode.REFUSED)
    return Answer(done, _text(done))


def _ask(text: str) -> float:
    return float(click.prompt(text, type=float, err=True))


def _confirm(yes: bool) -> Any:
    def confirm(found: Trim, before: list[Point]) -> bool:
        note(
            f"Found: gain {signed_percent(found.gain_ppm)}, zero {found.zero_ua:+d} uA; "
            f"the board is {percent(worst_ppm(before))} off now."
        )
        return yes or click.confirm("Write it to the board?", err=True)

    return confirm


def _shown(values: dict[str, Any]) -> Answer:
    text = f"Calibration: {calibration_words(values)}."
    if values.get("state") == "kept":
        off, before = percent(values["residual_ppm"]), percent(values["residual_before_ppm"])
        text += f" At most {off} off when it was made, {before} before."
    return Answer(values, text)


def _text(done: Calibrated) -> str:
    rows = [_row("before", point) for point in done.before] + [_row("after", point) for point in done.after]
    lines = [
        table(rows, ["", "set", "meter", "board", "error"]),
        f"Calibrated: gain {signed_percent(done.trim.gain_ppm)}, zero {done.trim.zero_ua:+d} uA; "
        f"{percent(done.residual_before_ppm)} off before, {percent(done.residual_ppm)} now.",
        f"Record: {done.record}. The board holds no dose to start: push yours again.",
    ]
    return "\n".join(lines)


def _row(when: str, point: Point) -> list[str]:
    figures = [f"{point.set_ua / 1000:g} mA", f"{point.meter_ua / 1000:.4f} mA", f"{point.board_ua / 1000:.4f} mA"]
    return [when, *figures, signed_percent(point.error_ppm)]


examples(
    'ionto calibrate --meter-name "Keithley 2110"',
    "ionto calibrate --low-ma 0.5 --high-ma 3",
    "ionto calibrate --meter sim --yes",
    "ionto calibrate --show",
)(calibrate_command)

COMMANDS = (calibrate_command,)
