"""The `time` module of rp2 in virtual time: ticks wrap at 30 bits, the epoch is 1970."""

import time as _wall

from .core import CLOCK

_MASK = 0x3FFFFFFF
_HALF = 0x20000000
_READ_US = 2
gmtime = _wall.gmtime
localtime = _wall.gmtime


def mktime_utc(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    """Return seconds since 1970 of a UTC date (days from civil, Hinnant)."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    days = era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
    return ((days * 24 + hour) * 60 + minute) * 60 + second


@micropython.native
def ticks_us():
    """Return virtual time in us, 30 bits; reading it takes 2 us."""
    clock = CLOCK
    now = clock.now_us + 2
    clock.now_us = now
    if now >= clock.next_us:
        clock.service(4000)
        now = clock.now_us
    return now & 0x3FFFFFFF


@micropython.native
def ticks_ms():
    """Return virtual time in ms, 30 bits."""
    clock = CLOCK
    now = clock.now_us + 2
    clock.now_us = now
    if now >= clock.next_us:
        clock.service(4000)
        now = clock.now_us
    return now // 1000 & 0x3FFFFFFF


def ticks_cpu():
    """Return virtual time in us, 30 bits."""
    return ticks_us()


@micropython.native
def ticks_diff(end, start):
    """Return the signed difference of two ticks."""
    return ((end - start + 0x20000000) & 0x3FFFFFFF) - 0x20000000


@micropython.native
def ticks_add(ticks, delta):
    """Return ticks moved by `delta`."""
    return (ticks + delta) & 0x3FFFFFFF


@micropython.native
def sleep_us(us):
    """Sleep for `us` of virtual time."""
    if us > 0:
        clock = CLOCK
        until = clock.now_us + us
        if until < clock.next_us:
            clock.now_us = until
        else:
            clock.run_until(until)


def sleep_ms(ms):
    """Sleep for `ms` of virtual time."""
    CLOCK.run_until(CLOCK.now_us + (ms * 1000 if ms > 0 else 1))


def sleep(seconds):
    """Sleep for `seconds` of virtual time."""
    CLOCK.run_until(CLOCK.now_us + int(seconds * 1_000_000))


def time():
    """Return the real-time clock in whole seconds since 1970."""
    return (CLOCK.now_us + CLOCK.board.rtc_us) // 1_000_000


def time_ns():
    """Return the real-time clock in ns since 1970."""
    return (CLOCK.now_us + CLOCK.board.rtc_us) * 1000


def mktime(moment):
    """Return the seconds since 1970 of an 8-tuple in UTC."""
    return mktime_utc(*moment[:6])
