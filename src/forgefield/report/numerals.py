"""Numbers as people read them: a true minus sign, as many digits as mean something, a dash for what is unknown."""

import math

UNKNOWN = "—"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def fixed(value: float | None, decimals: int) -> str:
    """Return a number with this many decimals."""
    if value is None or not math.isfinite(value):
        return _not_finite(value)
    # Adding zero turns the -0.0 that rounding may leave into 0.0.
    return _signed(f"{round(value, decimals) + 0.0:.{decimals}f}")


def visible(value: float | None, decimals: int) -> str:
    """Return a number with this many decimals; one that would vanish gets two significant digits instead."""
    if value and math.isfinite(value) and abs(value) < 0.5 * 10.0**-decimals:
        return significant(value, 2)
    return fixed(value, decimals)


def significant(value: float | None, digits: int) -> str:
    """Return a number with this many significant digits, as a power of ten where it is very large or small."""
    if value is None or not math.isfinite(value):
        return _not_finite(value)
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = int(exponent)
    if value == 0.0:
        return "0"
    if not -4 <= power < max(digits, 5):
        return f"{_signed(mantissa)} × {power_of_ten(power)}"
    return _signed(f"{value:.{max(digits - 1 - power, 0)}f}")


def power_of_ten(power: int) -> str:
    """Return 10 with a raised exponent."""
    return f"10{str(power).translate(_SUPERSCRIPT)}"


def decimals_of(value: float, digits: int) -> int:
    """Return how many decimals show a value with this many significant digits; for columns of one kind."""
    if not math.isfinite(value) or value == 0.0:
        return digits - 1
    return max(0, digits - 1 - math.floor(math.log10(abs(value))))


def percent(share: float | None) -> str:
    """Return a share of one in per cent."""
    if share is None or not math.isfinite(share):
        return _not_finite(share)
    return f"{fixed(100.0 * share, 1)} %"


def with_unit(number: str, unit: str) -> str:
    """Return a number with its unit; a degree sign stands close to it."""
    return f"{number}{'' if unit == '°' else ' '}{unit}"


def plural(n: int, noun: str) -> str:
    """Return `1 start`, `2 starts`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _not_finite(value: float | None) -> str:
    if value is None or math.isnan(value):
        return UNKNOWN
    return _signed(f"{value}".replace("inf", "∞"))


def _signed(text: str) -> str:
    return text.replace("-", "−")
