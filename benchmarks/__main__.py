"""Run every benchmark, print a table, write build/benchmark.json."""

import json
import platform
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import host_tool, virtual_pico

OUTPUT = Path("build/benchmark.json")


def main() -> int:
    """Run, print and write; return the exit code."""
    rows = [*host_tool.run(), *virtual_pico.run()]
    table = Table("benchmark", "value", "unit", "to reach")
    for row in rows:
        table.add_row(row["name"], f"{row['value']:,.3g}", row["unit"], row.get("to_reach", ""))
    Console().print(table)
    OUTPUT.parent.mkdir(exist_ok=True)
    machine = {"python": platform.python_version(), "system": platform.platform(terse=True)}
    OUTPUT.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")
    print(f"written to {OUTPUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
