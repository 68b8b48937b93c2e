"""Sites as readers are shown them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

import msgspec
from msgspec.structs import replace

from chipledger_book.parties import Site
from chipledger_book.report import CeilingUse, GradeStack
from chipledger_book.rule_report import LimitUse
from chipledger_server.usecases.book.reconcile import (
    Balances,
    SiteBalance,
    all_balances,
    balance_of,
)
from chipledger_server.usecases.reading import FindingsAsked
from chipledger_server.usecases.showing import ANOTHER_SITE, Look
from chipledger_server.usecases.showing.duties import NEEDS
from chipledger_server.usecases.views import Answer, Page

SEVERITIES = ("critical", "high", "medium", "low")
"""Worst first."""

Pieces = Annotated[int, msgspec.Meta(ge=0)]


class SiteSummary(Answer, frozen=True, kw_only=True):
    """One line of the overview. Chips are counted over the controlled models of the site.

    Attributes:
        physical: verdict of book against reports.
        authorisation: verdict of held against allowed; never merged with the other.
        worst: severity of the worst open finding, or null.
        findings: open findings.
        tpp_held: TPP of its chips, the larger of book and seen.
        tpp_used: TPP drawn from what covers the site, by every site that it covers.
        tpp_beyond: TPP beyond what is allowed.
        tpp_left: TPP of room, or null unless the verdict is `within` and every limit is in TPP.
        present: fresh chips by grade.
        declared: chips that only documents declare (G0).
        hosts_silent: hosts that no longer answer.
    """

    id: str
    name: str
    country: str
    tier: str | None
    operator: str
    ultimate_parent: str
    test: bool
    physical: str
    authorisation: str
    worst: str | None
    findings: Pieces
    tpp_held: int
    tpp_used: int
    tpp_beyond: int
    tpp_left: int | None
    received: Pieces
    present: GradeStack
    declared: Pieces
    unaccounted: Pieces
    overage: Pieces
    disputed: Pieces
    silent: Pieces
    unknown_models: Pieces
    hosts: Pieces
    hosts_silent: Pieces


class SiteDetail(Answer, frozen=True, kw_only=True):
    """One site: as declared, and in one line."""

    site: Site
    summary: SiteSummary


class SitesPage(Page, frozen=True, kw_only=True):
    """Sites, by id."""

    items: tuple[SiteSummary, ...]


def site_detail(look: Look, site: str) -> SiteDetail:
    """Return one site.

    Raises:
        BookError: `unknown-site`.
    """
    balances = Balances(look.snapshot, None, look.when, look.measure)
    balance = balances.of(site)
    declared = balances.side(site).site
    return SiteDetail(site=declared, summary=summary(balance, _open(look, site).get(site, {})))


def balance(look: Look, site: str) -> SiteBalance:
    """Return the balance of one site; other sites the reader may not see have no name in it.

    Raises:
        BookError: `unknown-site`, or tables that lack what the book holds.
    """
    found = balance_of(look.snapshot, site, look.when, look.measure)
    ceilings = tuple(_named_for(look, use) for use in found.report.ceilings)
    view = found.report.rules
    if view is not None:
        view = replace(view, limits=tuple(limits_for(look, view.limits)))
    return replace(found, report=replace(found.report, ceilings=ceilings, rules=view))


def _named_for(look: Look, use: CeilingUse) -> CeilingUse:
    """Return the use of a ceiling; that others used it too is said, not which they are."""
    seen = {one if look.sees(one) else ANOTHER_SITE for one in use.sites}
    return replace(use, sites=tuple(sorted(seen)))


def limits_for(look: Look, limits: Iterable[LimitUse]) -> Iterator[LimitUse]:
    """Yield limits without the names and shipments of sites that the reader may not see."""
    for use in limits:
        strangers = [one for one in use.sites if not look.sees(one)]
        if strangers and len(strangers) == len(use.sites) and use.effect == "notice":
            continue
        sites = {one if look.sees(one) else ANOTHER_SITE for one in use.sites}
        yield replace(use, sites=tuple(sorted(sites)))


def _open(look: Look, site: str | None = None) -> Mapping[str | None, Mapping[str, int]]:
    """Return how many findings are open, by site and severity."""
    asked = FindingsAsked(when=look.when, scope=look.scope, site=site, states=NEEDS)
    return look.snapshot.count_findings(asked)


def list_sites(look: Look) -> list[SiteSummary]:
    """Return every site the reader may see, by id."""
    balances = all_balances(look.snapshot, look.when, look.measure, scope=look.scope)
    counted = _open(look)
    return [summary(balance, counted.get(balance.report.site, {})) for balance in balances]


def summary(balance: SiteBalance, findings: Mapping[str, int]) -> SiteSummary:
    """Return a site in one line, with the number of its open findings of each severity."""
    report = balance.report
    rows = [row for row in report.rows if row.controlled]
    return SiteSummary(
        id=report.site,
        name=report.name,
        country=report.country,
        tier=report.tier,
        operator=report.operator,
        ultimate_parent=report.ultimate_parent,
        test=report.test,
        physical=report.physical,
        authorisation=report.authorisation,
        worst=worst(findings),
        findings=sum(findings.values()),
        tpp_held=report.tpp.counted,
        tpp_used=report.tpp.used,
        tpp_beyond=report.tpp.beyond,
        tpp_left=report.tpp.left,
        received=sum(row.received for row in rows),
        present=GradeStack(
            G1=sum(row.present.G1 for row in rows),
            G2=sum(row.present.G2 for row in rows),
            G3=sum(row.present.G3 for row in rows),
            G4=sum(row.present.G4 for row in rows),
        ),
        declared=sum(row.declared for row in rows),
        unaccounted=sum(row.unaccounted for row in rows),
        overage=sum(row.overage for row in rows),
        disputed=sum(row.disputed + row.disputed_off_book for row in rows),
        silent=sum(row.silent + row.silent_off_book for row in rows),
        unknown_models=sum(
            model.present.total + model.silent + model.disputed for model in report.unknown_models
        ),
        hosts=balance.hosts,
        hosts_silent=balance.hosts_silent,
    )


def worst(findings: Mapping[str, int]) -> str | None:
    """Return the worst severity among findings."""
    return next((severity for severity in SEVERITIES if findings.get(severity)), None)
