"""Pictures of the terminal for the user guide: `python -m release.pictures` draws what the commands print."""

from __future__ import annotations

import io
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console, RenderableType
from rich.text import Text

from ionto_host.cli.monitor_view import render
from ionto_host.device.client import Device
from ionto_host.device.hand import with_hand
from ionto_host.monitor.history import History
from ionto_host.monitor.watching import Gap, watch
from ionto_host.transport import simulators
from release.uf2_stub import stub

PICTURES = Path("docs/pictures")
_DOSE = "examples/bench_resistor.toml"
_WIDTH = 118
_SHOWN_UC = 38_000  # of a dose of 60 mC: the picture of a session under way


def main() -> int:
    """Draw every picture from a blank virtual Pico; 0 when all are there."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="p-") as folder:
        hidden = {folder: "/home/me", str(Path.cwd()): "", platform.platform(terse=True): "Linux"}
        os.environ |= {
            "IONTO_SIMS": f"{folder}/sims",
            "IONTO_UF2": f"{folder}/micropython.uf2",
            "IONTO_CONFIG": os.devnull,
        }
        os.environ["IONTO_LOGS"] = f"{folder}/logs"
        Path(folder, "micropython.uf2").write_bytes(stub())
        command = [
            sys.executable,
            "-m",
            "ionto_host",
            "sim",
            "--bootsel",
            "--bench-strap",
            "--load",
            "skin",
            "--speed",
            "4",
        ]
        simulator = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            _draw("flash", _printed(["devices"], ["flash"], hidden=hidden))
            _draw("doctor", _printed(["doctor", "--self-test"], hidden=hidden))
            _draw("monitor", _session())
        finally:
            simulator.terminate()
            simulator.wait(30)
    return 0


def _printed(*commands: list[str], hidden: dict[str, str]) -> Text:
    """Return the commands and what they print, in colour, without what only this machine has."""
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(_WIDTH), "TERM": "xterm-256color"}
    shown = Text()
    for command in commands:
        _wait_for_board()
        run = [sys.executable, "-m", "ionto_host", *command]
        done = subprocess.run(
            run, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
        )
        printed = re.sub(r"^.*not the official image.*written all the same.*\n", "", done.stdout, flags=re.MULTILINE)
        for machine, public in hidden.items():
            printed = printed.replace(machine, public)
        shown.append(f"$ ionto {' '.join(command)}\n", style="bold")
        shown.append_text(Text.from_ansi(printed))
        shown.append("\n")
    return shown


def _wait_for_board() -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        devices = [sys.executable, "-m", "ionto_host", "devices", "--no-probe", "--json"]
        if subprocess.run(devices, capture_output=True, text=True, check=True).stdout.strip() != "[]":
            return
        time.sleep(0.2)


def _session() -> RenderableType:
    """Return the monitor's view of a session under way, after a cable was out for a moment."""
    subprocess.run([sys.executable, "-m", "ionto_host", "dose", "push", _DOSE], check=True, stdout=subprocess.DEVNULL)
    with Device.open() as device:
        with_hand(device.start, print)
    with simulators.connect(None) as pico:
        pico.set_speed(4)
    history = History()
    for look in watch(None, interval_s=0.1):
        history.add(look)
        if not isinstance(look, Gap) and look.charge_uc > _SHOWN_UC:
            break
    return render(history, "IontoPico")


def _draw(name: str, content: RenderableType) -> None:
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(content, soft_wrap=False)
    path = PICTURES / f"{name}.svg"
    drawn = console.export_svg(title=f"ionto {name}", unique_id=name)
    path.write_text(re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL), encoding="utf-8")  # asks no other host
    print(path)


if __name__ == "__main__":
    sys.exit(main())
