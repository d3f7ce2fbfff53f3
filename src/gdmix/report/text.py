"""Numbers as people read them."""

from __future__ import annotations

import math

from gdmix.descent import Update
from gdmix.glm.status import Status

# by their numbers, as they look like a hyphen
DASH = "\u2013"
MINUS = "\u2212"


def count(value: float) -> str:
    """Return a whole number with thousands separators.

    >>> count(80184)
    '80,184'
    """
    return f"{value:,.0f}"


def figure(value: float) -> str:
    """Return a metric with four decimals; a dash when it is not a number.

    >>> figure(0.77134499)
    '0.7713'
    """
    return f"{value:,.4f}" if math.isfinite(value) else DASH


def signed(value: float) -> str:
    """Return a figure with its sign, by a true minus.

    >>> signed(0.5)
    '+0.5000'
    """
    if not math.isfinite(value):
        return DASH
    return f"{MINUS if value < 0 else '+'}{abs(value):,.4f}"


def amount(value: float) -> str:
    """Return an objective: two decimals, or an exponent where those would say nothing.

    >>> amount(35485.27746), amount(1.25e12)
    ('35,485.28', '1.25000e+12')
    """
    if not math.isfinite(value):
        return DASH
    plain = value == 0.0 or 0.1 <= abs(value) < 1e10
    return f"{value:,.2f}" if plain else f"{value:.5e}"


def headline(value: float) -> str:
    """Return an objective in few characters.

    >>> headline(3548.527746), headline(35485.27746)
    ('3,548.53', '35,485')
    """
    return count(value) if 1e4 <= abs(value) < 1e10 else amount(value)


def short(value: float) -> str:
    """Return a value to three significant digits, for axes and ranges.

    >>> short(0.123456), short(1234.5)
    ('0.123', '1,234')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def share(part: float, whole: float) -> str:
    """Return a share in percent.

    >>> share(286, 1651), share(1, 100000)
    ('17.3%', '<0.1%')
    """
    if not whole:
        return DASH
    percent = 100.0 * part / whole
    return "<0.1%" if 0.0 < percent < 0.1 else f"{percent:.1f}%"


def seconds(value: float) -> str:
    """Return a duration.

    >>> seconds(0.0234), seconds(1.0624), seconds(3725)
    ('23 ms', '1.1 s', '1 h 02 min')
    """
    if value < 1.0:
        return f"{1000 * value:.0f} ms"
    if value < 60.0:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def clipped(text: str, most: int = 32) -> str:
    """Return a text cut to `most` characters, its end kept, where terms differ.

    >>> clipped("a_very_long_feature_name=value", 16)
    'a_very_…me=value'
    """
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def label(update: Update) -> str:
    """Return what an update is called: its sweep and its coordinate."""
    return f"{update.sweep} {update.coordinate}"


def status_name(status: Status) -> str:
    """Return a status in words."""
    return status.name.lower().replace("_", " ")


def capital(text: str) -> str:
    """Return a text with its first letter large, the others as they are."""
    return text[:1].upper() + text[1:]
