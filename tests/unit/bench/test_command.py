"""`ionto bench run` and the pytest below it: how it waits, and what it concludes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from bench_runs import run_of
from click.testing import CliRunner

from ionto_host.bench import record
from ionto_host.cli import benchcmd
from ionto_host.cli.root import root

HEARS = "import time\ntry: time.sleep(60)\nexcept KeyboardInterrupt: raise SystemExit(2)"
IGNORES = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)"


@pytest.mark.hazard("HAZ-34")
@pytest.mark.parametrize(
    ("does", "presses", "code"), [(HEARS, 1, 2), (IGNORES, 3, -signal.SIGKILL)], ids=["hears", "ignores"]
)
def test_a_child_that_was_not_told_is_told_and_the_third_ctrl_c_gives_up(monkeypatch, does, presses, code):
    """Only this process gets the Ctrl-C here."""
    monkeypatch.setattr(benchcmd, "_TELL_AFTER_S", 0.3)
    child = subprocess.Popen([sys.executable, "-c", does], stderr=subprocess.DEVNULL)

    def press():
        for _ in range(presses):
            time.sleep(1)
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        benchcmd._wait(child)
    thread.join()
    assert child.poll() == code


@pytest.mark.parametrize(("code", "passed"), [(0, True), (1, False), (2, False)])
def test_a_run_passes_when_its_record_and_pytest_say_so(monkeypatch, tmp_path, code, passed):
    def run(arguments):
        record.write(run_of(), tmp_path / "record.json")
        return code

    monkeypatch.setattr(benchcmd, "_pytest", run)
    command = ["bench", "run", "--device", "virtual", "--output", str(tmp_path), "--history", str(tmp_path / "old")]
    done = CliRunner().invoke(root, [*command, "--json"])
    answer = json.loads(done.stdout)
    assert (answer["passed"], answer["tests"]["passed"], done.exit_code) == (passed, 1, 0 if passed else 5)
