"""Making a report of a site and a period: of its frozen document, or of a draft.

A period that was frozen is reported as it was known then, by its newest document or the one that
is asked for. Other facilities of the parent are computed for the same time, so the same question
gives the same bytes later.
"""

from dataclasses import dataclass
from datetime import date

from chipledger_book.ledger import Book
from chipledger_book.licences import LicenceType
from chipledger_book.periods.course import Frozen, course_of
from chipledger_book.periods.document import last_ms
from chipledger_book.periods.freezing import Asked
from chipledger_book.reports.header import Report, Source
from chipledger_book.reports.making import (
    OF_DOCUMENTS,
    OF_THE_PARENT,
    Material,
    ReportKind,
    make_report,
)
from chipledger_book.terms import day_of
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.periods.closing import body_of, unknown_period
from chipledger_server.usecases.periods.known import Family
from chipledger_server.usecases.periods.store import PeriodDesk
from chipledger_server.usecases.reading import Snapshot
from chipledger_server.usecases.refusals import Code, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportAsked:
    """Which report.

    Attributes:
        version: which version of the period's document; None: the newest.
        known_at_ms: of a draft, what was known then.
    """

    kind: ReportKind
    site: str
    first_day: date
    last_day: date
    known_at_ms: int
    version: int | None = None


def report_of(
    ask: ReportAsked, desk: PeriodDesk, snapshot: Snapshot, who: Principal | None
) -> Report:
    """Return a report.

    Raises:
        Refusal: `unknown-period`, `invalid-parameter`, and `outside-scope` where the report speaks
            of facilities of the parent that the reader may not see.
        BookError: `unknown-site`.
    """
    _check_days(ask)
    chosen = _chosen(ask, desk)
    known_at_ms = ask.known_at_ms if chosen is None else chosen.known_at_ms
    family = Family(
        snapshot=snapshot,
        site=ask.site,
        known_at_ms=known_at_ms,
        measure=desk.measures(known_at_ms),
        code=desk.code,
    )
    first = _source(ask, desk, family, chosen)
    parent = first.document.site.ultimate_parent.id
    sites = family.sites_of(parent, last_ms(ask.last_day))
    if ask.kind in OF_THE_PARENT and who is not None:
        _demand_all(who, sites, ask)
    others = [name for name in sites if name != ask.site] if ask.kind in OF_DOCUMENTS else []
    return make_report(
        ask.kind,
        Material(
            sources=[first, *(_draft(name, ask, family) for name in others)],
            book=family.book,
            tables=family.measure.tables,
            sites=sites,
            claimed=_claimed(family.book, sites, ask.last_day),
            made_by=desk.code,
        ),
    )


def _check_days(ask: ReportAsked) -> None:
    if ask.last_day < ask.first_day or ask.last_day >= day_of(ask.known_at_ms):
        raise Refusal(
            Code.INVALID_PARAMETER,
            f"{ask.first_day} to {ask.last_day} is no period that is over",
            hint="both ends are inclusive days, UTC",
        )


def _chosen(ask: ReportAsked, desk: PeriodDesk) -> Frozen | None:
    """Return the version that is asked for; None: nothing of the period was frozen."""
    versions = [
        one
        for one in desk.store.frozen(ask.site)
        if one.days == (ask.first_day, ask.last_day) and one.known_at_ms <= ask.known_at_ms
    ]
    if ask.version is not None:
        found = next((one for one in versions if one.version == ask.version), None)
        if found is None:
            raise unknown_period(f"{ask.first_day}..{ask.last_day} version {ask.version}")
        return found
    return max(versions, key=lambda one: one.version, default=None)


def _source(ask: ReportAsked, desk: PeriodDesk, family: Family, chosen: Frozen | None) -> Source:
    if chosen is None:
        return _draft(ask.site, ask, family)
    now = Family(
        snapshot=family.snapshot,
        site=ask.site,
        known_at_ms=ask.known_at_ms,
        measure=desk.measures(ask.known_at_ms),
        code=desk.code,
    )
    stage = str(course_of(chosen, now.book).stage)
    return Source(document=body_of(chosen.digest, desk), digest=chosen.digest, stage=stage)


def _draft(site: str, ask: ReportAsked, family: Family) -> Source:
    asked = Asked(site=site, first_day=ask.first_day, last_day=ask.last_day)
    return Source(document=family.compose(asked, log=None))


def _demand_all(who: Principal, sites: list[str], ask: ReportAsked) -> None:
    hidden = [name for name in sites if not who.may_read(name)]
    if hidden:
        raise Refusal(
            Code.OUTSIDE_SCOPE,
            f"the report {ask.kind} speaks of every facility of the parent, and {who.name} may"
            f" not read {len(hidden)} of them",
            hint="ask somebody who may read all of them, or for a report of one site",
        )


def _claimed(book: Book, sites: list[str], day: date) -> frozenset[LicenceType]:
    """Return the types of the licences that cover one of these sites on a day."""
    consignees = {name: book.site(name, last_ms(day)).consignee.id for name in sites}
    return frozenset(
        licence.type
        for licence in book.licences(day)
        if any(licence.covers(name, consignee) for name, consignee in consignees.items())
    )
