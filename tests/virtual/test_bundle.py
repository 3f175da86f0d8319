"""The firmware bundle without the host tool: mip installs it, and the board answers."""

import json
import subprocess
import sys
import zipfile

from workbench import CEILING_S, Bench

from ionto_host.board.mpremote_link import Prompt
from ionto_sim.client import VirtualPico
from release import bundle


def test_mip_installs_the_bundle(tmp_path):
    with VirtualPico(state_dir=tmp_path / "pico", load=2000, bench_strap=True) as pico:
        with Prompt(pico.port) as prompt:
            mpy = prompt.implementation().mpy
        root = bundle.write(tmp_path, mpy)
        paths = [row[0] for row in json.loads((root / "package.json").read_text())["urls"]]
        assert paths[-1] == "main.py"
        for arguments in (["mip", "install", "--target=/", "package.json"], ["reset"]):
            command = [sys.executable, "-m", "mpremote", "connect", pico.port, *arguments]
            done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=CEILING_S)
            assert done.returncode == 0, done.stdout + done.stderr
        bench = Bench(pico, tmp_path)
        assert all(row["ok"] for row in bench.ionto("selftest")["results"])
    archive = zipfile.ZipFile(bundle.zipped(root))
    assert {f"{root.name}/{path}" for path in paths} < set(archive.namelist())
    assert archive.testzip() is None
