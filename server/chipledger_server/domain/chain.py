"""The chain of a host's tokens: what is missing, and whether it ever split.

The verdict depends on the set of tokens alone, never on the order in which they came: a spool,
a relay or a slow link may deliver them in any order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from chipledger_evidence.ids import NO_PREVIOUS

Ranges = tuple[tuple[int, int], ...]
MOST_RANGES: Final = 256
"""Ranges of missing numbers kept apart for one host.

A host that leaves out every second number would otherwise make its state grow with every token.
Beyond the bound ranges run on over numbers that came, so more may be called missing than are,
never fewer.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A token's place in its chain.

    Attributes:
        seq: its number.
        token: its identity.
        prev: identity it names as the one before.
    """

    seq: int
    token: str
    prev: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """What is kept around a link: needed only when it does not simply continue the head.

    Attributes:
        before: identities at the number before.
        same: other identities at its own number.
        after: what tokens at the next number name as the one before.
    """

    before: frozenset[str] = frozenset()
    same: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Where a host's chain stands.

    Attributes:
        seq: number of its head, 0 before the first token.
        token: identity of its head.
        missing: inclusive ranges of numbers below the head that never came, ascending, at most
            `MOST_RANGES`.
    """

    seq: int = 0
    token: str = NO_PREVIOUS
    missing: Ranges = ()


def extend(chain: Chain, link: Link, around: Neighbours) -> tuple[Chain, bool]:
    """Return the chain with `link` in it, and whether `link` shows that it split.

    It split where two tokens have one number, or where a token names another one before it
    than the one that is kept.
    """
    return _with(chain, link), _splits(link, around)


def _with(chain: Chain, link: Link) -> Chain:
    if link.seq > chain.seq:
        missing = chain.missing
        if link.seq > chain.seq + 1:
            missing = _and_gap(missing, (chain.seq + 1, link.seq - 1))
        return Chain(seq=link.seq, token=link.token, missing=missing)
    if link.seq == chain.seq:
        return replace(chain, token=min(chain.token, link.token))
    missing = without(chain.missing, link.seq)
    return chain if len(missing) > MOST_RANGES else replace(chain, missing=missing)


def _and_gap(missing: Ranges, gap: tuple[int, int]) -> Ranges:
    if len(missing) < MOST_RANGES:
        return (*missing, gap)
    return (*missing[:-1], (missing[-1][0], gap[1]))


def _splits(link: Link, around: Neighbours) -> bool:
    if around.same:
        return True
    if link.seq == 1:
        broken = link.prev != NO_PREVIOUS
    else:
        broken = bool(around.before) and link.prev not in around.before
    return broken or any(named != link.token for named in around.after)


def without(ranges: Ranges, number: int) -> Ranges:
    """Return `ranges` without `number`."""
    kept: list[tuple[int, int]] = []
    for first, last in ranges:
        if first <= number <= last:
            kept += [(a, b) for a, b in ((first, number - 1), (number + 1, last)) if a <= b]
        else:
            kept.append((first, last))
    return tuple(kept)


def count_missing(ranges: Sequence[tuple[int, int]]) -> int:
    """Return how many numbers `ranges` hold."""
    return sum(last - first + 1 for first, last in ranges)
