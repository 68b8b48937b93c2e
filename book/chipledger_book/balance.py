"""The balance: book against what was seen, and held against allowed. One pure function.

    book, sightings, tables, as_of → one report per site, two verdicts, never merged

Nothing is clipped and nothing offsets: an overage of one model never fills a hole of another,
and within one model identities are matched before numbers. The same arguments always give the
same report, whoever computes it and in whatever order events and chips are given.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from chipledger_book.authorisation import Allocation, allocate, covers
from chipledger_book.catalogue import ObservedModel
from chipledger_book.ceilings.holdings import Arrived, Scene, SiteFacts, arrivals_matter
from chipledger_book.ceilings.views import Judged
from chipledger_book.errors import Code, Problem
from chipledger_book.headroom import Allowances, tpp_summary
from chipledger_book.holding import AtSite, Holding, Question, always_test, at_site
from chipledger_book.inventory import Sightings
from chipledger_book.ledger import Book
from chipledger_book.licences import Licence
from chipledger_book.parties import Site
from chipledger_book.physical import ChipState, SeenChip, Stay
from chipledger_book.report import (
    Authorisation,
    BalanceRow,
    ModelDoubt,
    OffBook,
    PeakUse,
    Physical,
    SiteReport,
    UnknownModel,
    stack,
)
from chipledger_book.rows import balance_row
from chipledger_book.rule_report import RulesView
from chipledger_book.rules import Tables
from chipledger_book.sides import one_sided
from chipledger_book.terms import day_of

__all__ = ["Question", "Reconciled", "reconcile", "reconcile_all"]

Here = TypeVar("Here", SeenChip, Stay)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """The balances of all sites.

    Attributes:
        reports: one for every declared site, sorted by site id.
        undeclared: `unknown-site` for every other site that holds or shows anything. It has no
            owner and no country, so what is there is in no balance and counts against nothing.
    """

    reports: tuple[SiteReport, ...]
    undeclared: tuple[Problem, ...]


def reconcile(
    book: Book,
    seen: Iterable[SeenChip],
    tables: Tables,
    question: Question,
    *,
    site: str,
    stays: Iterable[Stay] = (),
) -> SiteReport:
    """Return the balance of one site.

    Args:
        book: the ledger, folded for the `known_at` that is asked for.
        seen: sightings at `as_of` of at least this site and those linked to it (see
            :func:`linked_sites`); sightings elsewhere are ignored.
        tables: catalogue, country lists and rule set of the verdict.
        question: times.
        site: which site.
        stays: the history of the same sites within the period; what was there and is not any
            more counts against licences and ceilings only with it.

    Raises:
        BookError: `unknown-site`; `unknown-sku` or `unknown-unit-model` when the catalogue
            lacks what the book holds; `unknown-country-list`.
    """
    wanted = linked_sites(book, site, as_of_ms=question.as_of_ms)
    return _reconcile(book, seen, stays, tables, question=question, names=wanted, asked=(site,))[
        site
    ]


def reconcile_all(
    book: Book,
    seen: Iterable[SeenChip],
    tables: Tables,
    question: Question,
    *,
    stays: Iterable[Stay] = (),
) -> Reconciled:
    """Return the balance of every declared site, and name those that are not declared.

    Raises:
        BookError: as `reconcile`, but never `unknown-site`.
    """
    chips = tuple(seen)
    names = sorted({*book.site_ids(), *(chip.site for chip in chips)})
    known = [name for name in names if book.declarations(name)]
    found = _reconcile(book, chips, stays, tables, question=question, names=known, asked=known)
    return Reconciled(
        reports=tuple(found.values()),
        undeclared=tuple(undeclared(name) for name in names if name not in known),
    )


def undeclared(site: str) -> Problem:
    """Return what is wrong with a site that holds or shows something and is not declared."""
    return Problem(
        code=Code.UNKNOWN_SITE,
        where=site,
        detail=f"something is at site {site}, of which no declaration stands",
        hint="declare the site; until then it is in no balance",
    )


def linked_sites(book: Book, site: str, *, as_of_ms: int) -> tuple[str, ...]:
    """Return the sites whose holdings bear on one site's authorisation, itself included.

    Sites are linked by a common ultimate parent or by a licence that covers both, in any form
    they were declared in up to `as_of`, because what arrived under a form stays with it. Test
    sites are linked only with test sites.

    Raises:
        BookError: `unknown-site`.
    """
    forms = {
        name: book.forms(name, as_of_ms) for name in book.site_ids() if book.declarations(name)
    }
    first = always_test(book.forms(site, as_of_ms))
    licences = book.licences()
    ties = {
        name: _ties(those, licences) for name, those in forms.items() if always_test(those) == first
    }
    linked = {site}
    queue = [site]
    while queue:
        own = ties[queue.pop()]
        found = [name for name in ties if name not in linked and not own.isdisjoint(ties[name])]
        linked.update(found)
        queue += found
    return tuple(sorted(linked))


def _ties(forms: Sequence[Site], licences: Sequence[Licence]) -> frozenset[tuple[str, str | int]]:
    """Return the parents and the licences that a site shares with whoever else has them."""
    parents = {("parent", form.ultimate_parent.id) for form in forms}
    covering = {
        ("licence", number)
        for number, licence in enumerate(licences)
        if any(covers(licence, form) for form in forms)
    }
    return frozenset({*parents, *covering})


def _reconcile(
    book: Book,
    seen: Iterable[SeenChip],
    stays: Iterable[Stay],
    tables: Tables,
    *,
    question: Question,
    names: Sequence[str],
    asked: Sequence[str],
) -> dict[str, SiteReport]:
    """Return the reports of the sites that are asked for, all of `names` being looked at."""
    chips, history = _by_site(seen), _by_site(stays)
    sides = {
        name: at_site(
            book, chips.get(name, ()), history.get(name, ()), tables, question=question, site=name
        )
        for name in names
    }
    allocations = allocate_all(
        [side.holding() for side in sides.values()], book.licences(), tables, question
    )
    return {
        name: site_report(sides[name], book, allocations, tables, question=question)
        for name in asked
    }


def _by_site(found: Iterable[Here]) -> Mapping[str, list[Here]]:
    by_site: dict[str, list[Here]] = defaultdict(list)
    for one in found:
        by_site[one.site].append(one)
    return by_site


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What sites meet in: what covers what, and what the limits of the rule set say."""

    allocation: Allocation
    judged: Judged


def allocate_all(
    holdings: Sequence[Holding], licences: Sequence[Licence], tables: Tables, question: Question
) -> Mapping[bool, Shared]:
    """Return what covers what and what limits say, for test sites and for real ones."""
    return {
        test: _shared([one for one in holdings if one.test == test], licences, tables, question)
        for test in (False, True)
    }


def _shared(
    holdings: Sequence[Holding], licences: Sequence[Licence], tables: Tables, question: Question
) -> Shared:
    allocation = allocate(
        [one.site for one in holdings],
        [exposure for one in holdings for exposure in one.exposures],
        licences,
        tables,
        as_of_ms=question.as_of_ms,
    )
    matter = arrivals_matter(tables.rules, allocation.licences)
    facts = [
        SiteFacts(site=one.site, arrived=_arrived(one) if matter else (), held=one.held)
        for one in holdings
    ]
    scene = Scene(facts, allocation.licences, tables, day=allocation.day)
    return Shared(allocation=allocation, judged=Judged(scene))


def _arrived(holding: Holding) -> list[Arrived]:
    """Return what arrived at a site, as limits look at it."""
    return [
        Arrived(
            site=exposure.site,
            sku=exposure.sku,
            pieces=item.chips,
            day=day_of(item.occurred_at_ms),
            shipment=holding.shipments.get(item.event, item.event),
            charged_to=item.charged_to,
            came_from=exposure.came_from,
        )
        for exposure in holding.exposures
        for item in exposure.items
    ]


def site_report(
    balance: AtSite,
    book: Book,
    allocations: Mapping[bool, Shared],
    tables: Tables,
    *,
    question: Question,
) -> SiteReport:
    """Return the report of a site, its licences and limits being drawn on by all who share them."""
    site, shared = balance.site, allocations[always_test(balance.forms)]
    given = _allowances(balance, shared)
    start = question.period_start_ms
    rows = tuple(balance_row(m, given.licences, period_start_ms=start) for m in balance.models)
    unknown = _unknown_models(balance.sightings)
    view = shared.judged.view(site)
    free = _needs_none(balance, tables, shared, view)
    allowed = _authorisation(site, shared, unknown, free=free)
    return SiteReport(
        **_named(site),
        tier=None if view is None else view.tier,
        as_of_ms=question.as_of_ms,
        period_start_ms=start,
        known_at_ms=question.known_at_ms,
        tables=tables.versions(),
        physical=_physical(rows, unknown),
        authorisation=allowed,
        rows=rows,
        unknown_models=unknown,
        tpp=tpp_summary(rows, given, allowed),
        licences=given.licences,
        ceilings=given.ceilings,
        uncovered=given.uncovered,
        holes=tuple(hole for model in balance.models for hole in model.holes()),
        off_book=tuple(_off_book(balance)),
        model_doubts=tuple(_doubts(balance)),
        one_sided=one_sided(book, site.id, question.as_of_ms, tables.catalogue),
        peaks=tuple(_peaks(balance)),
        rules=view,
    )


def _named(site: Site) -> dict[str, Any]:
    """Return the members of a report that say which site it is of, and whose."""
    return {
        "site": site.id,
        "name": site.name,
        "country": site.country,
        "test": site.test,
        "operator": site.operator.id,
        "consignee": site.consignee.id,
        "ultimate_parent": site.ultimate_parent.id,
    }


def _allowances(balance: AtSite, shared: Shared) -> Allowances:
    """Return what bears on a site: licences, ceilings, and the chips that none has room for."""
    allocation, site = shared.allocation, balance.site.id
    return Allowances(
        site=site,
        day=allocation.day,
        licences=allocation.licence_use(balance.forms),
        ceilings=allocation.ceiling_use(balance.site),
        uncovered=tuple(allocation.uncovered.get(site, ())),
        over_limits_tpp=shared.judged.over_tpp(site),
        room_tpp=shared.judged.room_tpp(site),
    )


def _doubts(balance: AtSite) -> Iterable[ModelDoubt]:
    """Yield the chips whose weaker observations name another model."""
    for chip, (sku, disagreements) in sorted(balance.sightings.doubts.items()):
        yield ModelDoubt(chip=chip, sku=sku, disagreements=disagreements)


def _peaks(balance: AtSite) -> Iterable[PeakUse]:
    """Yield the most that was there of each controlled model."""
    for model in balance.models:
        if model.sku.controlled:
            most = balance.peaks[model.sku.sku]
            yield PeakUse(
                sku=model.sku.sku,
                pieces=most.pieces,
                at_ms=most.at_ms,
                last_ms=most.last_ms,
                arrived=most.arrived,
                seen=most.seen,
            )


def _off_book(balance: AtSite) -> Iterable[OffBook]:
    """Yield the seen chips that fill no booked one."""
    for model in balance.models:
        for chip in sorted(model.matching.off_book, key=lambda chip: chip.chip_id):
            yield OffBook(sku=model.sku.sku, chip=chip.chip_id, host=chip.host, state=chip.state)


def _needs_none(balance: AtSite, tables: Tables, shared: Shared, view: RulesView | None) -> bool:
    """Tell whether the rules ask for no licence for anything at a site.

    None is needed where it lay in a domestic country whenever something controlled arrived, and
    where its tier asks for none and no chip arrived under one that does.
    """
    if tables.rules is None or view is None:
        return False
    places = {balance.site.country, *(held.site.country for held in balance.holding().exposures)}
    bound = balance.site.id in shared.allocation.bound
    return places <= {*tables.rules.domestic} or (view.licence == "not-required" and not bound)


def _unknown_models(found: Sightings) -> tuple[UnknownModel, ...]:
    def view(observed: ObservedModel) -> UnknownModel:
        chips = found.unknown.get(observed, [])
        states = [chip.state for chip in chips]
        return UnknownModel(
            observed=observed,
            reason=found.reasons[observed].reason,
            candidates=found.reasons[observed].candidates,
            present=stack([chip.grade for chip in chips if chip.state is ChipState.PRESENT]),
            silent=states.count(ChipState.SILENT),
            disputed=states.count(ChipState.DISPUTED),
            declared=found.declared_unknown[observed],
            chips=tuple(sorted(chip.chip_id for chip in chips)),
        )

    return tuple(view(observed) for observed in sorted(found.reasons, key=repr))


def _physical(rows: Sequence[BalanceRow], unknown: Sequence[UnknownModel]) -> Physical:
    """Return the site's verdict over its controlled models and its unknown ones."""
    verdicts = {row.verdict for row in rows if row.controlled}
    over = bool(verdicts & {Physical.OVERAGE, Physical.BOTH}) or any(
        model.present.total or model.silent for model in unknown
    )
    missing = bool(verdicts & {Physical.UNACCOUNTED, Physical.BOTH})
    if over and missing:
        return Physical.BOTH
    if over:
        return Physical.OVERAGE
    if missing:
        return Physical.UNACCOUNTED
    contested = Physical.UNRESOLVED in verdicts or any(model.disputed for model in unknown)
    if contested:
        return Physical.UNRESOLVED
    compared = Physical.AGREES in verdicts
    return Physical.AGREES if compared else Physical.NOTHING_TO_COMPARE


def _authorisation(
    site: Site, shared: Shared, unknown: Sequence[UnknownModel], *, free: bool
) -> Authorisation:
    """Return the worst that is certain, then what is not known, then within."""
    if free:
        return Authorisation.NOT_REQUIRED
    allocation = shared.allocation
    why = {entry.why for entry in allocation.uncovered.get(site.id, ())}
    over = allocation.exceeded_ceiling(site.id) or shared.judged.exceeded(site.id)
    if "exceeded" in why or over:
        return Authorisation.EXCEEDED
    if why:
        return Authorisation.NOT_AUTHORISED
    if any(model.present.total or model.silent for model in unknown):
        return Authorisation.UNKNOWN_MODEL
    return Authorisation.WITHIN
