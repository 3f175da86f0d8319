"""Check and import the firmware's modules."""

import gc
import time


def main():
    """Print [us, bytes kept]."""
    gc.collect()
    before = gc.mem_alloc()
    start_us = time.ticks_us()
    import ionto_pack

    ionto_pack.check()
    __import__("ionto")
    passed_us = time.ticks_diff(time.ticks_us(), start_us)
    gc.collect()
    print([passed_us, gc.mem_alloc() - before])
