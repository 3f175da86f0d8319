"""The RP2040's ADC: four of its 4,096 codes are some 9 LSB wide, all others a little narrower (erratum RP2040-E11)."""

from .compat import micropython

WIDE_CODES = (511, 1535, 2559, 3583)
_HALF_SEGMENT = 512 << 20


def stretch(wide_lsb: float) -> "tuple[int, int]":
    """Return the half of a width in LSB (1.0: ideal), times 2**20, and what that stretches the rest by, times 1024."""
    half = round(wide_lsb * (1 << 19))
    return half, round((_HALF_SEGMENT - (1 << 19) << 10) / (_HALF_SEGMENT - half))


@micropython.native
def code(raw: int, half: int, stretched: int) -> int:
    """Return the code, 0 to 4095, of `raw`, in LSB times 2**20."""
    centre = ((raw + 1048576) >> 30 << 30) + 535822336
    off = raw - centre
    if off > half:
        raw = centre + ((off - half) * stretched >> 10) + 524288
    elif off < 0 - half:
        raw = centre + ((off + half) * stretched >> 10) - 524288
    else:
        raw = centre
    raw = (raw + 524288) >> 20
    if raw < 0:
        return 0
    return raw if raw < 4095 else 4095
