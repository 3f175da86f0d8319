"""`make dist`: build everything into dist/, then install and run it from clean environments."""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

from release import bundle
from release.trial import Trial, TrialError, run

DIST = Path("dist")


def main() -> int:
    """Build, try, and print what is in dist/; 1 when something does not work."""
    shutil.rmtree(DIST, ignore_errors=True)
    try:
        run([sys.executable, "-m", "build", "--outdir", str(DIST)])  # the wheel is built from the sdist
        bundle.zipped(bundle.write(DIST))
        shutil.rmtree(DIST / bundle.FOLDER)
        for pattern in ("*.whl", "*.tar.gz"):
            (package,) = DIST.glob(pattern)
            with tempfile.TemporaryDirectory(prefix="ionto-trial-") as folder:
                told = Trial(Path(folder), package).first_steps()
            print(
                f"{package.name}: installed clean; a blank virtual Pico now runs {told['firmware']}, self-test passed"
            )
    except TrialError as error:
        print(f"make dist failed: {error}", file=sys.stderr)
        return 1
    for path in sorted(DIST.iterdir()):
        print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
