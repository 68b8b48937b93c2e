"""Every balance from two processes: what sites share stays within a family of them."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from multiprocessing import get_context
from typing import Final

from chipledger_server.config import Config
from chipledger_server.usecases.book.reconcile import SiteBalance, balances_of
from chipledger_server.usecases.reading import When
from chipledger_server.wiring import Desk, open_desk

Families = Sequence[Sequence[str]]

WORTH_IT: Final = 100
"""Sites from which on a second process saves more than its start costs."""
_PROCESSES: Final = 2
_PARTS: Final = 8


def every_balance(
    desk: Desk, when: When, rules: str | None, *, worth_it: int = WORTH_IT
) -> list[SiteBalance]:
    """Return the balance of every declared site, by site id.

    Each process reads from snapshots of its own. They say the same of one `when`: what is written
    later than it was known is left out by all of them.

    Args:
        desk: where the database is.
        when: the two times of the question.
        rules: the rule set; None: the adopted one.
        worth_it: sites from which on a second process is begun.

    Raises:
        BookError: tables that lack what the book holds.
    """
    with desk.reads.snapshot() as snapshot:
        families = snapshot.families()
    sites = sum(len(family) for family in families)
    if sites < worth_it or len(os.sched_getaffinity(0)) < _PROCESSES:
        found = _balance(desk, when, rules, families)
    else:
        with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as pool:
            parts = pool.map(partial(_answer, desk.config, when, rules), _shares(families))
            found = [balance for part in parts for balance in part]
    return sorted(found, key=lambda balance: balance.report.site)


def _shares(families: Families) -> Iterator[Families]:
    """Yield the families in parts of about as many sites, the largest families first."""
    shares: list[list[Sequence[str]]] = [[] for _ in range(_PARTS)]
    sites = [0] * _PARTS
    for family in sorted(families, key=len, reverse=True):
        least = sites.index(min(sites))
        shares[least].append(family)
        sites[least] += len(family)
    yield from (share for share in shares if share)


_desk = lru_cache(maxsize=1)(open_desk)
"""The desk of a second process."""


def _answer(config: Config, when: When, rules: str | None, families: Families) -> list[SiteBalance]:
    return _balance(_desk(config), when, rules, families)


def _balance(desk: Desk, when: When, rules: str | None, families: Families) -> list[SiteBalance]:
    measure = desk.measures.at(when.known_at_ms, rules)
    with desk.reads.snapshot() as snapshot:
        return list(balances_of(snapshot, families, when, measure))
