"""The balance: book against what was seen, and held against allowed. One pure function.

    book, sightings, tables, as_of → one report per site, two verdicts, never merged

Nothing is clipped and nothing offsets: an overage of one model never fills a hole of another,
and within one model identities are matched before numbers. The same arguments always give the
same report, whoever computes it and in whatever order events and chips are given.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chipledger_book.authorisation import Allocation, Exposure, allocate
from chipledger_book.catalogue import ObservedModel, Sku
from chipledger_book.inventory import Sightings, declared_models, items_of, sightings
from chipledger_book.ledger import Book
from chipledger_book.matching import Item, Matching, match
from chipledger_book.parties import Site
from chipledger_book.physical import ChipState, SeenChip
from chipledger_book.report import (
    Authorisation,
    BalanceRow,
    Hole,
    LicenceUse,
    ModelDoubt,
    OffBook,
    Physical,
    SiteReport,
    TppSummary,
    UnknownModel,
    stack,
)
from chipledger_book.rules import Tables, tier_of
from chipledger_book.tables import in_force_on
from chipledger_book.terms import day_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of the book.

    Attributes:
        as_of_ms: what was true at.
        period_start_ms: what came before is `opening`; None: everything is a receipt.
        known_at_ms: the time the book was folded for; only written into the report.
    """

    as_of_ms: int
    period_start_ms: int | None = None
    known_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One model at one site, before licences are looked at."""

    sku: Sku
    items: Sequence[Item]
    seen: Sequence[SeenChip]
    declared: int
    matching: Matching


@dataclass(frozen=True, slots=True, kw_only=True)
class _SiteBalance:
    """One site, before licences are looked at."""

    site: Site
    rows: Sequence[_Row]
    sightings: Sightings


def reconcile(
    book: Book, seen: Iterable[SeenChip], tables: Tables, question: Question, *, site: str
) -> SiteReport:
    """Return the balance of one site.

    Args:
        book: the ledger, folded for the `known_at` that is asked for.
        seen: sightings at `as_of` of at least this site and those linked to it (see
            :func:`linked_sites`); sightings elsewhere are ignored.
        tables: catalogue, country lists and rule set of the verdict.
        question: times.
        site: which site.

    Raises:
        BookError: `unknown-site`; `unknown-sku` or `unknown-unit-model` when the catalogue
            lacks what the book holds; `unknown-country-list`.
    """
    wanted = linked_sites(book, site, as_of_ms=question.as_of_ms)
    reports = _reconcile(book, seen, tables, question, wanted)
    return next(report for report in reports if report.site == site)


def reconcile_all(
    book: Book, seen: Iterable[SeenChip], tables: Tables, question: Question
) -> tuple[SiteReport, ...]:
    """Return the balance of every declared site, sorted by site id; errors as `reconcile`."""
    return _reconcile(book, seen, tables, question, book.site_ids())


def linked_sites(book: Book, site: str, *, as_of_ms: int) -> tuple[str, ...]:
    """Return the sites whose holdings bear on one site's authorisation, itself included.

    Sites are linked by a common ultimate parent or by a licence that covers both; test sites
    only with test sites.
    """
    first = book.site(site, as_of_ms)
    others = [book.site(name, as_of_ms) for name in book.site_ids()]
    others = [other for other in others if other.test == first.test]
    licences = book.licences()
    linked: dict[str, Site] = {}
    queue = [first]
    while queue:
        one = queue.pop()
        linked[one.id] = one
        own = [licence for licence in licences if licence.covers(one.id, one.consignee.id)]
        queue += [
            other
            for other in others
            if other.id not in linked
            and (
                other.ultimate_parent.id == one.ultimate_parent.id
                or any(licence.covers(other.id, other.consignee.id) for licence in own)
            )
        ]
    return tuple(sorted(linked))


def _reconcile(
    book: Book,
    seen: Iterable[SeenChip],
    tables: Tables,
    question: Question,
    names: Sequence[str],
) -> tuple[SiteReport, ...]:
    by_site: dict[str, list[SeenChip]] = defaultdict(list)
    for chip in seen:
        by_site[chip.site].append(chip)
    balances = [_site_balance(book, by_site[name], tables, question, name) for name in names]
    reports: dict[str, SiteReport] = {}
    for test in (False, True):
        group = [balance for balance in balances if balance.site.test == test]
        exposures = [exposure for balance in group for exposure in _exposures(balance)]
        allocation = allocate(
            [balance.site for balance in group],
            exposures,
            book.licences(),
            tables,
            as_of_ms=question.as_of_ms,
        )
        for balance in group:
            reports[balance.site.id] = _report(balance, allocation, tables, question)
    return tuple(reports[name] for name in names)


def _site_balance(
    book: Book, seen: Sequence[SeenChip], tables: Tables, question: Question, name: str
) -> _SiteBalance:
    at = question.as_of_ms
    day = day_of(at)
    items = items_of(book.receipts(name, at), tables.catalogue)
    found = sightings(seen, declared_models(book, name, at), tables.catalogue, day)
    models = sorted({*items, *found.by_sku, *found.declared})
    return _SiteBalance(
        site=book.site(name, at),
        sightings=found,
        rows=[
            _Row(
                sku=tables.catalogue.sku(model, day),
                items=items.get(model, ()),
                seen=found.by_sku.get(model, ()),
                declared=found.declared[model],
                matching=match(items.get(model, ()), found.by_sku.get(model, ())),
            )
            for model in models
        ],
    )


def _exposures(balance: _SiteBalance) -> Iterable[Exposure]:
    """Yield the controlled models of a site with what was seen beyond the book."""
    for row in balance.rows:
        if row.sku.controlled:
            book = sum(item.chips for item in row.items)
            counted = sum(chip.state is not ChipState.DISPUTED for chip in row.seen)
            yield Exposure(
                site=balance.site,
                sku=row.sku,
                items=row.items,
                beyond=max(0, counted - book),
            )


def _report(
    balance: _SiteBalance, allocation: Allocation, tables: Tables, question: Question
) -> SiteReport:
    site = balance.site
    licences = allocation.licence_use(site)
    rows = tuple(_balance_row(row, licences, question) for row in balance.rows)
    unknown = _unknown_models(balance.sightings)
    tier, domestic = _place(site, tables, question)
    return SiteReport(
        site=site.id,
        name=site.name,
        country=site.country,
        test=site.test,
        operator=site.operator.id,
        consignee=site.consignee.id,
        ultimate_parent=site.ultimate_parent.id,
        tier=tier,
        as_of_ms=question.as_of_ms,
        period_start_ms=question.period_start_ms,
        known_at_ms=question.known_at_ms,
        tables=tables.versions(),
        physical=_physical(rows, unknown),
        authorisation=_authorisation(site, allocation, unknown, domestic=domestic),
        rows=rows,
        unknown_models=unknown,
        tpp=_tpp(site, rows, licences, allocation),
        licences=licences,
        ceilings=allocation.ceiling_use(site),
        uncovered=tuple(allocation.uncovered.get(site.id, ())),
        holes=tuple(hole for row in balance.rows for hole in _holes(row)),
        off_book=tuple(
            OffBook(sku=row.sku.sku, chip=chip.chip_id, host=chip.host, state=chip.state)
            for row in balance.rows
            for chip in sorted(row.matching.off_book, key=lambda chip: chip.chip_id)
        ),
        model_doubts=tuple(
            ModelDoubt(chip=chip, sku=sku, disagreements=doubts)
            for chip, (sku, doubts) in sorted(balance.sightings.doubts.items())
        ),
    )


def _place(site: Site, tables: Tables, question: Question) -> tuple[str | None, bool]:
    """Return the tier, and whether no licence is needed where the site lies."""
    rules, day = tables.rules, day_of(question.as_of_ms)
    if rules is None or not in_force_on(day, rules.head.valid_from, rules.head.valid_to):
        return None, False
    return tier_of(site, rules, tables.countries, day), site.country in rules.domestic


def _balance_row(row: _Row, licences: Sequence[LicenceUse], question: Question) -> BalanceRow:
    matched = {*row.matching.by_identity, *row.matching.by_count}
    on_book: dict[ChipState, int] = dict.fromkeys(ChipState, 0)
    off_book: dict[ChipState, int] = dict.fromkeys(ChipState, 0)
    for chip in row.seen:
        (on_book if chip.chip_id in matched else off_book)[chip.state] += 1
    present = [chip for chip in row.seen if chip.state is ChipState.PRESENT]
    identified = sum(chip.chip_id in row.matching.by_identity for chip in present)
    start = question.period_start_ms
    opening = sum(
        item.chips for item in row.items if start is not None and item.occurred_at_ms < start
    )
    book = sum(item.chips for item in row.items)
    unaccounted = sum(row.matching.left.values())
    overage = off_book[ChipState.PRESENT]
    each = row.sku.tpp
    pieces, tpp = _licensed(row.sku.sku, licences)
    return BalanceRow(
        sku=row.sku.sku,
        controlled=row.sku.controlled,
        tpp_each=each,
        licensed_pieces=pieces,
        licensed_tpp=tpp,
        opening=opening,
        received=book - opening,
        **_NOT_YET,
        book=book,
        present=stack([chip.grade for chip in present]),
        declared=row.declared,
        silent=on_book[ChipState.SILENT],
        disputed=on_book[ChipState.DISPUTED],
        unaccounted=unaccounted,
        overage=overage,
        silent_off_book=off_book[ChipState.SILENT],
        disputed_off_book=off_book[ChipState.DISPUTED],
        matched_by_identity=identified,
        matched_by_count=on_book[ChipState.PRESENT] - identified,
        book_tpp=book * each,
        present_tpp=len(present) * each,
        unaccounted_tpp=unaccounted * each,
        overage_tpp=overage * each,
        verdict=_row_verdict(unaccounted, overage, on_book, off_book),
    )


_NOT_YET: Final[Mapping[str, int]] = {
    "transfer_in": 0,
    "rma_in": 0,
    "shipped": 0,
    "transfer_out": 0,
    "rma_out": 0,
    "disposed": 0,
    "stored": 0,
    "explained": 0,
}
"""Columns of the format whose events the ledger does not have yet."""


def _row_verdict(
    unaccounted: int,
    overage: int,
    on_book: Mapping[ChipState, int],
    off_book: Mapping[ChipState, int],
) -> Physical:
    """Return the verdict of one row; a chip off the book stays over when it falls silent."""
    over = overage + off_book[ChipState.SILENT]
    if unaccounted and over:
        return Physical.BOTH
    if unaccounted:
        return Physical.UNACCOUNTED
    if over:
        return Physical.OVERAGE
    contested = on_book[ChipState.DISPUTED] + off_book[ChipState.DISPUTED]
    return Physical.UNRESOLVED if on_book[ChipState.SILENT] or contested else Physical.AGREES


def _licensed(sku: str, licences: Sequence[LicenceUse]) -> tuple[int | None, int | None]:
    """Return what the lines for one model allow, in pieces and in TPP."""
    limits: dict[str, list[int]] = {"pieces": [], "tpp": []}
    for licence in licences:
        for line in licence.lines:
            if line.sku == sku:
                limits[line.counted_in].append(line.limit)
    return (
        sum(limits["pieces"]) if limits["pieces"] else None,
        sum(limits["tpp"]) if limits["tpp"] else None,
    )


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
    return Physical.UNRESOLVED if contested else Physical.AGREES


def _authorisation(
    site: Site, allocation: Allocation, unknown: Sequence[UnknownModel], *, domestic: bool
) -> Authorisation:
    """Return the worst that is certain, then what is not known, then within."""
    if domestic:
        return Authorisation.NOT_REQUIRED
    why = {entry.why for entry in allocation.uncovered.get(site.id, ())}
    if "exceeded" in why or allocation.exceeded_ceiling(site.id):
        return Authorisation.EXCEEDED
    if why:
        return Authorisation.NOT_AUTHORISED
    if any(model.present.total or model.silent for model in unknown):
        return Authorisation.UNKNOWN_MODEL
    return Authorisation.WITHIN


def _tpp(
    site: Site,
    rows: Sequence[BalanceRow],
    licences: Sequence[LicenceUse],
    allocation: Allocation,
) -> TppSummary:
    held = [row for row in rows if row.controlled]
    lines = [line for licence in licences for line in licence.lines]
    ceilings = [
        use for use in allocation.ceiling_use(site) if use.window == str(allocation.day.year)
    ]
    limits = [line.limit_tpp for line in lines] + [use.limit_tpp for use in ceilings]
    known = [limit for limit in limits if limit is not None]
    authorised = sum(known) if len(known) == len(limits) else None
    used = (
        sum(line.used_tpp for line in lines)
        + sum(use.used_tpp for use in ceilings)
        + sum(entry.tpp for entry in allocation.uncovered.get(site.id, ()))
    )
    return TppSummary(
        book=sum(row.book_tpp for row in held),
        present=sum(row.present_tpp for row in held),
        counted=sum(max(row.book, row.seen) * row.tpp_each for row in held),
        authorised=authorised,
        used=used,
        left=None if authorised is None else authorised - used,
    )


def _holes(row: _Row) -> Iterable[Hole]:
    for item in sorted(row.items, key=lambda item: item.key):
        if row.matching.left[item.key]:
            yield Hole(
                sku=row.sku.sku,
                event=item.event,
                line=item.line,
                place=item.place,
                chips=row.matching.left[item.key],
                names=dict(item.names),
            )
