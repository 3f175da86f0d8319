"""`python -m ionto_host` is the command `ionto`."""

import sys

from ionto_host.cli import main

if __name__ == "__main__":
    sys.exit(main())
