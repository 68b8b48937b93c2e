"""How much counts: what was received, installed, owned or licensed, by subject and part."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from chipledger_book.catalogue import Catalogue, Sku
from chipledger_book.ceilings.holdings import Arrived, Held, Scene, SiteFacts
from chipledger_book.licences import Licence, LicenceLine, QuantityUnit
from chipledger_book.limit_kinds import Limit, flow_label
from chipledger_book.parties import Site
from chipledger_book.subjects import subject_of


@dataclass(slots=True, kw_only=True)
class Sum:
    """What counts for one subject in one part."""

    tpp: int = 0
    pieces: int = 0
    sites: set[str] = field(default_factory=set)

    def add(self, site: str, sku: Sku, pieces: int) -> None:
        """Add chips of a model at a site."""
        self.tpp += pieces * sku.tpp
        self.pieces += pieces
        self.sites.add(site)


Sums = dict[tuple[str, str], Sum]
"""Subject and part → what counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """One model at one site that counts for a subject."""

    subject: str
    site: Site
    sku: Sku
    pieces: int


def received(limit: Limit, scene: Scene) -> Sums:
    """Return what arrived, by subject and window; what a subject moved to itself counts once."""
    found: Sums = defaultdict(Sum)
    for one in _arrived(limit, scene):
        subject = subject_of(limit.subject, one.site)
        origin = one.came_from
        if origin is not None and subject_of(limit.subject, origin) == subject:
            continue
        found[subject, _window(limit, one)].add(one.site.id, one.sku, one.pieces)
    return dict(found)


def _arrived(limit: Limit, scene: Scene) -> Iterator[Arrived]:
    for at in scene.sites:
        for one in at.arrived:
            if (
                limit.applies_to(one.sku)
                and (limit.window != "span" or limit.in_span(one.day))
                and scene.in_tiers(limit.tiers, one.site, one.day)
                and scene.claims(limit.claimed_by, one.site, one.day, charged_to=one.charged_to)
            ):
                yield one


def _window(limit: Limit, one: Arrived) -> str:
    if limit.window == "shipment":
        return one.shipment
    if limit.window in ("calendar-year", "calendar-quarter", "whole"):
        return flow_label(limit.window, one.day)
    return f"{limit.first_day} to {limit.last_day}"


def owned(limit: Limit, scene: Scene) -> list[Owned]:
    """Return what is held now, site by site and model by model.

    What is installed counts at sites that claim, without what arrived under another licence by
    name; what is owned counts everywhere, for subjects of which some site claims.
    """
    claiming = {
        subject_of(limit.subject, at.site) for at in scene.sites if _claims(limit, scene, at)
    }
    return [
        Owned(
            subject=subject_of(limit.subject, at.site),
            site=at.site,
            sku=one.sku,
            pieces=_counted(limit, scene, at, one),
        )
        for at in scene.sites
        if subject_of(limit.subject, at.site) in claiming
        and (limit.counts == "owned" or _claims(limit, scene, at))
        for one in at.held
        if limit.applies_to(one.sku)
    ]


def _claims(limit: Limit, scene: Scene, at: SiteFacts) -> bool:
    return scene.in_tiers(limit.tiers, at.site, scene.day) and scene.claims(
        limit.claimed_by, at.site, scene.day
    )


def _counted(limit: Limit, scene: Scene, at: SiteFacts, one: Held) -> int:
    if limit.counts == "owned" or not limit.claimed_by:
        return one.pieces
    ours = {
        (licence.issuer, licence.number)
        for licence in scene.licences
        if licence.type in limit.claimed_by and licence.covers(at.site.id, at.site.consignee.id)
    }
    others = sum(pieces for key, pieces in one.charged.items() if key not in ours)
    return max(0, one.pieces - others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What licences grant to one country.

    Attributes:
        sum: what counts.
        uncounted: licence lines in pieces of any model, whose TPP no paper says.
    """

    sum: Sum
    uncounted: tuple[str, ...]


def licensed(limit: Limit, scene: Scene, sites: Iterable[Site]) -> dict[str, Granted]:
    """Return what licences grant, by country of the sites they are for.

    A licence whose sites lie in several countries counts in full in each, because its paper does
    not divide it. One granted before the span does not count.
    """
    sums: dict[str, Sum] = defaultdict(Sum)
    uncounted: dict[str, list[str]] = defaultdict(list)
    known = tuple(sites)
    for licence in scene.licences:
        if limit.claimed_by and licence.type not in limit.claimed_by:
            continue
        if licence.valid_from > scene.day or not limit.in_span(licence.valid_from):
            continue
        there = [
            site
            for site in known
            if licence.covers(site.id, site.consignee.id)
            and scene.in_tiers(limit.tiers, site, scene.day)
        ]
        for country in sorted({site.country for site in there}):
            total = sums[country]
            total.sites.update(site.id for site in there if site.country == country)
            for line in licence.lines:
                amount = _line(line, licence, limit, scene.tables.catalogue)
                if amount is None:
                    uncounted[country].append(f"{licence.issuer} {licence.number}")
                else:
                    total.tpp += amount
    return {
        country: Granted(sum=total, uncounted=tuple(sorted(set(uncounted[country]))))
        for country, total in sums.items()
    }


def _line(line: LicenceLine, licence: Licence, limit: Limit, catalogue: Catalogue) -> int | None:
    """Return the TPP of a line, 0 for a model that does not count, None where it is not said."""
    if line.sku is not None and not limit.applies_to(catalogue.sku(line.sku, licence.valid_from)):
        return 0
    if line.unit is QuantityUnit.TPP:
        return line.amount
    name = line.reference if line.unit is QuantityUnit.EQUIVALENTS else line.sku
    return None if name is None else line.amount * catalogue.sku(name, licence.valid_from).tpp
