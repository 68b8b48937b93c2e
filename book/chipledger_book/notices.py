"""Receipts that bring a notice: those under the low processing exception, and the exhausting one.

The exception's tiers, chips, subject, window and limit are those of its ceiling in the rule set,
and what counts is what the verdicts count: swaps of an RMA and moves of a subject to itself do
not, nor does what arrived under another licence by name.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chipledger_book.authorisation import Exposure
from chipledger_book.calendars import Happened, Trigger
from chipledger_book.ceilings.holdings import Scene
from chipledger_book.events import Received
from chipledger_book.holding import Question, at_site
from chipledger_book.ledger import Book
from chipledger_book.licences import LicenceType
from chipledger_book.limit_kinds import flow_label
from chipledger_book.matching import Item
from chipledger_book.rules import Ceiling, Tables
from chipledger_book.subjects import subject_of
from chipledger_book.terms import EventId, day_of


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class _Counted:
    """One model of one arrival that counts, oldest first."""

    at_ms: int
    event: str
    site: str
    subject: str
    window: str
    tpp: int


def lpp_notices(
    book: Book, tables: Tables, sites: Iterable[str], *, site: str, as_of_ms: int
) -> tuple[Happened, ...]:
    """Return what brings the notices of the low processing exception at a site.

    A receipt under it brings the copy of the certificate; the arrival with which what the subject
    received in the window reached the limit or passed it brings the notice of its exhaustion, at
    the site of that arrival.

    Args:
        book: the ledger, at least of the family.
        tables: rules and catalogue.
        sites: all sites whose arrivals may count with those of the site: those of its parent.
        site: whose notices.
        as_of_ms: what was true at.

    Raises:
        BookError: `unknown-site`; `unknown-sku` or `unknown-unit-model`.
    """
    licences = [one for one in book.licences() if one.type is LicenceType.LPP]
    rules = tables.rules
    ceilings = [] if rules is None else [c for c in rules.ceilings if c.licence_type in _LPP]
    if not licences or not ceilings:
        return ()
    scene = Scene((), licences, tables, day=day_of(as_of_ms))
    exposures = list(_arrived(book, tables, {*sites, site}, as_of_ms=as_of_ms))
    found: dict[Happened, None] = {}
    for ceiling in ceilings:
        counted = sorted(_counted(ceiling, exposures, scene))
        for one in counted:
            if one.site == site and isinstance(book.event(EventId(one.event)), Received):
                found[_happened("lpp-receipt", one)] = None
        for one in _exhausting(counted, ceiling.limit.amount):
            if one.site == site:
                found[_happened("lpp-exhausted", one)] = None
    return tuple(found)


_LPP = frozenset({LicenceType.LPP.value})


def _arrived(
    book: Book, tables: Tables, sites: Iterable[str], *, as_of_ms: int
) -> Iterator[Exposure]:
    question = Question(as_of_ms=as_of_ms)
    for name in sorted(sites):
        yield from at_site(book, (), (), tables, question=question, site=name).holding().exposures


def _counted(ceiling: Ceiling, exposures: Iterable[Exposure], scene: Scene) -> Iterator[_Counted]:
    for exposure in exposures:
        subject = subject_of(ceiling.subject, exposure.site)
        origin = exposure.came_from
        if not ceiling.applies_to(exposure.sku) or (
            origin is not None and subject_of(ceiling.subject, origin) == subject
        ):
            continue
        for item in exposure.items:
            if _claimed(ceiling, exposure, item, scene):
                day = day_of(item.occurred_at_ms)
                yield _Counted(
                    at_ms=item.occurred_at_ms,
                    event=item.event,
                    site=exposure.site.id,
                    subject=subject,
                    window=flow_label(ceiling.window, day),
                    tpp=item.chips * exposure.sku.tpp,
                )


def _claimed(ceiling: Ceiling, exposure: Exposure, item: Item, scene: Scene) -> bool:
    day = day_of(item.occurred_at_ms)
    return scene.in_tiers(ceiling.tiers, exposure.site, day) and scene.claims(
        (ceiling.licence_type,), exposure.site, day, charged_to=item.charged_to
    )


def _exhausting(counted: Iterable[_Counted], limit: int) -> Iterator[_Counted]:
    """Yield, for each subject and window, the arrival that reached the limit."""
    sums = defaultdict[tuple[str, str], int](int)
    for one in counted:
        key = one.subject, one.window
        before = sums[key]
        sums[key] += one.tpp
        if before < limit <= sums[key]:
            yield one


def _happened(trigger: Trigger, one: _Counted) -> Happened:
    return Happened(trigger=trigger, day=day_of(one.at_ms), event=one.event)
