"""Read a pulled session log, print what happened, and draw it.

    python examples/read_log.py                       # the newest log that `ionto logs pull` fetched
    python examples/read_log.py 000003.ilog --plot session.png

Units are in the names: _ua is microampere, _mv millivolt, _ms milliseconds, _uc microcoulomb (60,000 uC are 1 mA*min).
The plot needs matplotlib: pip install "iontopico[plot]".
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ionto_host import logs, logstore


def main() -> None:
    """Read the log that the command line names."""
    parser = argparse.ArgumentParser(description="Print and plot a session log.")
    parser.add_argument("log", nargs="?", default="last", help="a file, an id, BOARD/ID, or last")
    parser.add_argument("--plot", type=Path, help="PNG, SVG or PDF to draw")
    chosen = parser.parse_args()
    session = logs.read(logstore.find(chosen.log))
    tell(session)
    if chosen.plot:
        draw(session, chosen.plot)


def tell(session: logs.Session) -> None:
    """Print the outcome, the numbers of the hold, and every event."""
    facts = logs.summary(session)
    print(f"{facts['name']}: {session.outcome}, log {'verified' if session.verified else 'DAMAGED OR INCOMPLETE'}")
    for damage in session.damage:
        print("damage:", damage.describe())
    print(f"charge {logs.delivered(facts)} of {facts['dose_prescribed_ma_min']:g} mA*min")
    samples = logs.array(session)  # a NumPy structured array: the fields of logs.Sample
    holding = samples[samples["state"] == 4]
    if holding.size:
        ohm = 1_000 * holding["load_mv"] / holding["current_mean_ua"].clip(min=1)
        print(f"hold: {holding['current_mean_ua'].mean():.0f} uA, load {ohm.mean():.0f} ohm")
    for event in session.events:
        print(f"{event.t_ms / 1_000:9.3f} s  {event.describe()}")


def draw(session: logs.Session, path: Path) -> None:
    """Draw current and set-point over time to `path`."""
    from matplotlib.figure import Figure

    samples = logs.array(session)
    seconds = samples["t_ms"] / 1_000
    figure = Figure(figsize=(8, 4), layout="constrained")
    axis = figure.subplots()
    axis.fill_between(
        seconds, samples["current_min_ua"], samples["current_max_ua"], alpha=0.3, label="least to greatest"
    )
    axis.plot(seconds, samples["current_mean_ua"], label="mean")
    axis.plot(seconds, samples["setpoint_ua"], linestyle="--", label="set-point")
    axis.set_xlabel("time since START, s")
    axis.set_ylabel("current, uA")
    axis.legend()
    figure.savefig(path)
    print("drawn to", path)


if __name__ == "__main__":
    main()
