"""Silence: how long a host was unseen while somebody was there to see it."""

from collections.abc import Sequence
from dataclasses import dataclass

Span = tuple[int, int]


def unseen_ms(since_ms: int, until_ms: int, downtime: Sequence[Span]) -> int:
    """Return the time between two instants without the collector's own downtime."""
    away = sum(
        max(0, min(end, until_ms) - max(start, since_ms))
        for start, end in downtime
        if end > since_ms and start < until_ms
    )
    return until_ms - since_ms - away


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at a quiet host finds: silent now, or to be looked at again."""

    silent: bool
    again_ms: int


def look(seen_ms: int, *, now_ms: int, limit_ms: int, downtime: Sequence[Span]) -> Look:
    """Return whether a host last seen at `seen_ms` is silent at `now_ms`."""
    unseen = unseen_ms(seen_ms, now_ms, downtime)
    if unseen > limit_ms:
        return Look(silent=True, again_ms=now_ms)
    return Look(silent=False, again_ms=now_ms + limit_ms - unseen + 1)


def most_within(times_ms: Sequence[int], window_ms: int) -> int:
    """Return how many of `times_ms` fit into one window at most."""
    ordered = sorted(times_ms)
    most, start = 0, 0
    for end, time_ms in enumerate(ordered):
        while time_ms - ordered[start] > window_ms:
            start += 1
        most = max(most, end - start + 1)
    return most


def is_mass(silent: int, hosts: int, *, percent: int) -> bool:
    """Tell whether so many silent hosts of a site are one event: never a single host."""
    return silent > 1 and silent * 100 >= hosts * percent
