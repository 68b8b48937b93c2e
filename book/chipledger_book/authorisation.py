"""Held against allowed: licences by their lines, ceilings by their window and subject.

What must be covered is the larger of what arrived and what was seen, model by model: what left
again gives no room back, so moving chips out before an audit hides nothing. A receipt needs a
licence that was valid on the day it arrived, for the site as it was declared then; chips seen
beyond the book have no such day and need one that is valid now, for the site as it is declared
now. A receipt that names its licence draws on that one alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from chipledger_book.catalogue import Sku
from chipledger_book.licences import Licence, LicenceLine, LicenceType, QuantityUnit
from chipledger_book.limit_kinds import current_labels, flow_label
from chipledger_book.matching import Item
from chipledger_book.parties import Site
from chipledger_book.report import CeilingUse, LicenceUse, LineUse, Uncovered
from chipledger_book.rules import Ceiling, Tables, Tier, place
from chipledger_book.subjects import subject_of
from chipledger_book.tables import in_force_on
from chipledger_book.terms import day_of


def covers(licence: Licence, site: Site) -> bool:
    """Tell whether a licence is for a site in this form."""
    return licence.covers(site.id, site.consignee.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What one site, in one form it was declared in, holds of one controlled model.

    Attributes:
        site: the site as declared when the items arrived; for chips beyond the book, at `as_of`.
        sku: the model.
        items: what arrived.
        beyond: chips seen beyond what arrived, by number, not below zero: at the peak.
        beyond_on: the day on which they last were; None: they are.
        came_from: the site that the items were transferred from, as declared then.
    """

    site: Site
    sku: Sku
    items: Sequence[Item]
    beyond: int
    beyond_on: date | None = None
    came_from: Site | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Chips that arrived together and must be covered."""

    site: Site
    sku: Sku
    pieces: int
    day: date
    charged_to: tuple[str, str] | None = None
    came_from: Site | None = None

    def counted_at_origin(self, licence: Licence) -> bool:
        """Tell whether a licence covered the chips already where they came from."""
        return self.came_from is not None and covers(licence, self.came_from)


@dataclass(slots=True)
class _LineState:
    """One licence line and what is drawn from it so far."""

    licence: Licence
    line: LicenceLine
    limit: int
    in_tpp: bool
    piece_tpp: int | None
    used: int = 0
    used_tpp: int = 0

    def takes(self, need: Need) -> bool:
        """Tell whether the line is for these chips at all, room or not."""
        if not covers(self.licence, need.site):
            return False
        key = (self.licence.issuer, self.licence.number)
        if need.charged_to is not None and need.charged_to != key:
            return False
        return self.line.sku in (None, need.sku.sku) and self.licence.valid_on(need.day)

    def draw(self, sku: Sku, pieces: int) -> int:
        """Cover as many pieces as there is room for; a chip is never split over two lines."""
        each = sku.tpp if self.in_tpp else 1
        drawn = min(pieces, (self.limit - self.used) // each)
        self.used += drawn * each
        self.used_tpp += drawn * sku.tpp
        return drawn


@dataclass(slots=True)
class _CeilingState:
    """One ceiling, one subject, one window.

    Attributes:
        sites: sites that used it.
        open_to: sites that may use it on the day that is asked for.
    """

    ceiling: Ceiling
    used_tpp: int = 0
    sites: set[str] = field(default_factory=set)
    open_to: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Allocation:
    """What covers what, for all sites that share a licence or a subject.

    Attributes:
        uncovered: per site, what no line has room for.
        bound: sites with chips that need a licence by the rules of their tier, or that no rule
            set frees from one.
    """

    day: date
    lines: list[_LineState]
    licences: tuple[Licence, ...]
    ceilings: dict[tuple[str, str, str], _CeilingState] = field(default_factory=dict)
    uncovered: dict[str, list[Uncovered]] = field(default_factory=lambda: defaultdict(list))
    bound: set[str] = field(default_factory=set)

    def exceeded_ceiling(self, site: str) -> bool:
        """Tell whether a subject that this site counts for exceeds a ceiling in this window."""
        now = current_labels(self.day)
        return any(
            state.used_tpp > state.ceiling.limit.amount and site in state.sites
            for (_, _, window), state in self.ceilings.items()
            if window in now
        )

    def licence_use(self, forms: Sequence[Site]) -> tuple[LicenceUse, ...]:
        """Return the use of every licence that covers or covered a site, by its forms to date."""
        return tuple(
            self._licence_use(licence, forms[-1])
            for licence in self.licences
            if any(covers(licence, form) for form in forms)
        )

    def _licence_use(self, licence: Licence, now: Site) -> LicenceUse:
        valid = licence.valid_on(self.day)
        still_open = valid and covers(licence, now)
        return LicenceUse(
            issuer=licence.issuer,
            number=licence.number,
            type=licence.type,
            valid_from=licence.valid_from,
            valid_to=licence.valid_to,
            valid=valid,
            open=still_open,
            lines=tuple(
                _line_use(state, open_to_more=still_open)
                for state in self.lines
                if state.licence is licence
            ),
        )

    def ceiling_use(self, site: Site) -> tuple[CeilingUse, ...]:
        """Return every ceiling of the site's subject or used by the site, window by window."""
        return tuple(
            CeilingUse(
                ceiling=name,
                subject=subject,
                window=window,
                open=site.id in state.open_to,
                sites=tuple(sorted(state.sites)),
                limit_tpp=state.ceiling.limit.amount,
                used_tpp=state.used_tpp,
                left_tpp=state.ceiling.limit.amount - state.used_tpp,
            )
            for (name, subject, window), state in sorted(
                self.ceilings.items(), key=lambda entry: entry[0]
            )
            if subject == subject_of(state.ceiling.subject, site) or site.id in state.sites
        )


def allocate(
    sites: Iterable[Site],
    exposures: Iterable[Exposure],
    licences: Sequence[Licence],
    tables: Tables,
    *,
    as_of_ms: int,
) -> Allocation:
    """Cover what the sites hold: arrivals that name a licence, the others, chips beyond the book.

    Among each, the oldest come first.
    """
    day = day_of(as_of_ms)
    begun = tuple(licence for licence in licences if licence.valid_from <= day)
    allocation = Allocation(day=day, lines=_line_states(begun, tables), licences=begun)
    counters = _Counters(allocation, tables)
    held = tuple(exposures)
    for site in sites:
        counters.open_windows(site)
    booked = [need for exposure in held for need in _booked_needs(exposure)]
    needs = [need for need in counters.bound(booked) if not counters.count(need)]
    for need in sorted(needs, key=_turn):
        _cover(need, allocation)
    for exposure in sorted(held, key=lambda one: (-one.sku.tpp, one.site.id, one.sku.sku)):
        if exposure.beyond:
            last = exposure.beyond_on or day
            need = Need(site=exposure.site, sku=exposure.sku, pieces=exposure.beyond, day=last)
            if not any(counters.bound([need])):
                continue
            if any(state.takes(need) for state in allocation.lines) or not counters.count(need):
                _cover(need, allocation)
    return allocation


def _turn(need: Need) -> tuple[bool, date, int, str, str]:
    """Return when a need has its turn: those that name a licence, then the oldest."""
    return need.charged_to is None, need.day, -need.sku.tpp, need.site.id, need.sku.sku


class _Counters:
    """Counts arrivals against the ceilings of the rule set that holds the day."""

    def __init__(self, allocation: Allocation, tables: Tables) -> None:
        rules = tables.rules
        holds = rules is not None and in_force_on(
            allocation.day, rules.head.valid_from, rules.head.valid_to
        )
        self._rules = rules if holds else None
        self._tables = tables
        self._allocation = allocation
        self._tiers: dict[tuple[Site, date], Tier] = {}

    def open_windows(self, site: Site) -> None:
        """Show the ceiling of this window, used or not, and that it is open to who claims it."""
        for ceiling in self._claimed(site, self._allocation.day):
            state = self._state(ceiling, site, self._allocation.day)
            state.open_to.add(site.id)

    def count(self, need: Need) -> bool:
        """Count chips against the ceiling they were claimed under; tell whether there is one."""
        for ceiling in self._claimed(need.site, need.day, need.charged_to):
            if ceiling.applies_to(need.sku):
                origin = need.came_from
                whose = subject_of(ceiling.subject, need.site)
                if origin and subject_of(ceiling.subject, origin) == whose:
                    return True  # received once by this subject, and counted then
                state = self._state(ceiling, need.site, need.day)
                state.used_tpp += need.pieces * need.sku.tpp
                state.sites.add(need.site.id)
                return True
        return False

    def _claimed(
        self, site: Site, day: date, charged_to: tuple[str, str] | None = None
    ) -> Iterable[Ceiling]:
        """Yield the ceilings that a licence of the site claims on a day."""
        rules, tier = self._rules, self.tier(site, day)
        if rules is None or tier is None:
            return
        for ceiling in rules.ceilings:
            if tier.tier in ceiling.tiers and any(
                licence.type == ceiling.licence_type
                and covers(licence, site)
                and licence.valid_on(day)
                and charged_to in (None, (licence.issuer, licence.number))
                for licence in self._allocation.licences
            ):
                yield ceiling

    def bound(self, needs: Iterable[Need]) -> Iterable[Need]:
        """Yield the chips that need a licence in the tier they arrived in."""
        for need in needs:
            tier = self.tier(need.site, need.day)
            if tier is None or tier.needs_licence(need.sku):
                self._allocation.bound.add(need.site.id)
                yield need

    def tier(self, site: Site, day: date) -> Tier | None:
        """Return the tier of a site on a day, or None on a day that the rules do not hold."""
        rules = self._rules
        if rules is None or not in_force_on(day, rules.head.valid_from, rules.head.valid_to):
            return None
        if (site, day) not in self._tiers:
            tables = self._tables
            placed = place(site, rules, tables.countries, day, entities=tables.entities)
            self._tiers[site, day] = placed.tier
        return self._tiers[site, day]

    def _state(self, ceiling: Ceiling, site: Site, day: date) -> _CeilingState:
        whose = subject_of(ceiling.subject, site)
        key = (ceiling.ceiling, whose, flow_label(ceiling.window, day))
        return self._allocation.ceilings.setdefault(key, _CeilingState(ceiling))


def _booked_needs(exposure: Exposure) -> Iterable[Need]:
    """Return the booked chips of an exposure, arrivals of one day and licence together."""
    arrivals: dict[tuple[date, tuple[str, str] | None], int] = defaultdict(int)
    for item in exposure.items:
        arrivals[day_of(item.occurred_at_ms), item.charged_to] += item.chips
    return [
        Need(
            site=exposure.site,
            sku=exposure.sku,
            pieces=pieces,
            day=day,
            charged_to=charged,
            came_from=exposure.came_from,
        )
        for (day, charged), pieces in arrivals.items()
    ]


def _line_states(licences: Sequence[Licence], tables: Tables) -> list[_LineState]:
    """Return every licence line, in the order they are drawn on.

    Lines for one model come before lines for any, licences of fewer sites before those of
    more, and the one that ends first before the others.
    """
    states = [
        _LineState(
            licence=licence,
            line=line,
            limit=_limit(line, licence, tables),
            in_tpp=line.unit is not QuantityUnit.PIECES,
            piece_tpp=_piece_tpp(line, licence, tables),
        )
        for licence in licences
        for line in licence.lines
    ]
    return sorted(
        states,
        key=lambda state: (
            state.line.sku is None,
            not state.licence.sites,
            len(state.licence.sites),
            state.licence.valid_to,
            state.licence.issuer,
            state.licence.number,
        ),
    )


def _limit(line: LicenceLine, licence: Licence, tables: Tables) -> int:
    """Return a line's limit in what it is counted in; equivalents become TPP."""
    if line.reference is None:
        return line.amount
    return line.amount * tables.catalogue.sku(line.reference, licence.valid_from).tpp


def _piece_tpp(line: LicenceLine, licence: Licence, tables: Tables) -> int | None:
    """Return the TPP of one piece of a line's model, or None for a line of any model."""
    if line.sku is None:
        return None
    return tables.catalogue.sku(line.sku, licence.valid_from).tpp


def _cover(need: Need, allocation: Allocation) -> None:
    """Draw a need from the licences that are for it; note what stays uncovered."""
    left = need.pieces
    some_line = False
    for state in allocation.lines:
        if left and state.takes(need):
            some_line = True
            if need.counted_at_origin(state.licence):
                return
            left -= state.draw(need.sku, left)
    if left and not _unlimited(need, allocation.licences):
        allocation.uncovered[need.site.id].append(
            Uncovered(
                sku=need.sku.sku,
                pieces=left,
                tpp=left * need.sku.tpp,
                why="exceeded" if some_line else "not-authorised",
                charged_to=need.charged_to,
            )
        )


def _unlimited(need: Need, licences: Iterable[Licence]) -> bool:
    """Tell whether a claimed exception without lines and without ceiling covers the chips."""
    return any(
        not licence.lines
        and licence.type is not LicenceType.LPP
        and covers(licence, need.site)
        and licence.valid_on(need.day)
        and need.charged_to in (None, (licence.issuer, licence.number))
        for licence in licences
    )


def _line_use(state: _LineState, *, open_to_more: bool) -> LineUse:
    limit = state.limit if open_to_more else state.used
    limit_tpp: int | None = limit
    if not open_to_more:
        limit_tpp = state.used_tpp
    elif not state.in_tpp:
        limit_tpp = None if state.piece_tpp is None else limit * state.piece_tpp
    return LineUse(
        sku=state.line.sku,
        unit=state.line.unit,
        amount=state.line.amount,
        reference=state.line.reference,
        limit=limit,
        counted_in="tpp" if state.in_tpp else "pieces",
        used=state.used,
        left=limit - state.used,
        limit_tpp=limit_tpp,
        used_tpp=state.used_tpp,
    )
