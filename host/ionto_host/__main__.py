"""`python -m ionto_host` is the command `ionto`."""

import sys


def _run() -> int:
    try:
        from ionto_host.cli import main

        return main()
    except KeyboardInterrupt:
        print("Error: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(_run())
