"""How a benchmark takes its time: the best of several runs, which other work on the machine disturbs least."""

import time
from collections.abc import Callable


def best_s(work: Callable[[], object], runs: int = 5) -> float:
    """Return the shortest wall time of `runs` calls of `work`, in s."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
