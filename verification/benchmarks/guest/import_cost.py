"""Import the modules of `order` one by one; those that import nothing come first, so each pays for itself alone."""

import gc
import time


def main(order):
    """Print [[name, us, bytes kept], ...]."""
    rows = []
    for name in order:
        gc.collect()
        before = gc.mem_alloc()
        start_us = time.ticks_us()
        module = __import__(name)
        if name == "ionto_pack":
            module.mount()
        passed_us = time.ticks_diff(time.ticks_us(), start_us)
        gc.collect()
        rows.append([name, passed_us, gc.mem_alloc() - before])
    print(rows)
