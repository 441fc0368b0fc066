"""Numbers of single precision (numpy's float32, Parquet's FLOAT), which Python widens and writes with too many digits.

``12.99`` becomes ``12.989999771118164``; and a phone number or an id that was kept so has become another one.
"""

from __future__ import annotations

import math
import struct
from typing import Final

_EXACT: Final = 2**24
_DIGITS: Final = range(6, 10)
_pack = struct.Struct("<f").pack


def narrowed(value: float) -> float | str:
    """Return what a number of single precision was written as.

    :param value: as Python widened it.
    :returns: the number with the fewest digits that is the same one. Above 16,777,216, where whole numbers are no
        longer told apart, text with an exponent and seven digits, which is no phone number.
    """
    if not math.isfinite(value):
        return value
    if abs(value) > _EXACT:
        return f"{value:.6e}"
    packed = _pack(value)
    return next((short for digits in _DIGITS if _pack(short := float(f"{value:.{digits}g}")) == packed), value)
