"""What limits are measured on: what sites received and hold, in which form, by which claim."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from chipledger_book.catalogue import Sku
from chipledger_book.licences import Licence
from chipledger_book.parties import Site
from chipledger_book.rules import Placed, RuleSet, Tables, place
from chipledger_book.tables import in_force_on


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """Chips of one model that one event brought to a site.

    Attributes:
        site: the site as declared when they arrived.
        sku: the model.
        pieces: how many, swaps of an RMA left out.
        day: when.
        shipment: what tells shipments apart: the reference if there is one, else the event.
        charged_to: licence the event names.
        came_from: the site they were transferred from, as declared then.
    """

    site: Site
    sku: Sku
    pieces: int
    day: date
    shipment: str
    charged_to: tuple[str, str] | None = None
    came_from: Site | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One model at a site: the larger of book and seen.

    Attributes:
        charged: licence → chips still on the book that arrived under it by name.
    """

    sku: Sku
    pieces: int
    charged: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """One site: as declared at the time that is asked for, what arrived, and what it holds."""

    site: Site
    arrived: Sequence[Arrived]
    held: Sequence[Held]


class Scene:
    """The sites that are judged together, the licences they claim under, and the tables."""

    def __init__(
        self,
        sites: Iterable[SiteFacts],
        licences: Sequence[Licence],
        tables: Tables,
        *,
        day: date,
    ) -> None:
        self.sites = sorted(sites, key=lambda one: one.site.id)
        self.licences = licences
        self.tables = tables
        self.day = day
        self._granted = defaultdict[str, list[Licence]](list)
        for licence in licences:
            self._granted[licence.consignee].append(licence)
        self._placed: dict[tuple[Site, date], Placed | None] = {}

    @property
    def rules(self) -> RuleSet | None:
        """The rule set, where its dates hold the day that is asked for."""
        rules = self.tables.rules
        if rules is None:
            return None
        head = rules.head
        return rules if in_force_on(self.day, head.valid_from, head.valid_to) else None

    def placed(self, site: Site, day: date) -> Placed | None:
        """Return where the rules put a site on a day, or None on a day they do not hold."""
        key = (site, day)
        if key not in self._placed:
            rules, tables = self.tables.rules, self.tables
            held = rules is not None and in_force_on(
                day, rules.head.valid_from, rules.head.valid_to
            )
            self._placed[key] = (
                place(site, rules, tables.countries, day, entities=tables.entities)
                if held and rules is not None
                else None
            )
        return self._placed[key]

    def in_tiers(self, tiers: tuple[str, ...], site: Site, day: date) -> bool:
        """Tell whether a site is in one of the tiers on a day; without tiers every site is."""
        if not tiers:
            return True
        placed = self.placed(site, day)
        return placed is not None and placed.tier.tier in tiers

    def claims(
        self,
        types: tuple[str, ...],
        site: Site,
        day: date,
        *,
        charged_to: tuple[str, str] | None = None,
    ) -> bool:
        """Tell whether a site holds a licence of these types on a day; without types it does.

        What names its licence is claimed under that one alone.
        """
        if not types:
            return True
        return any(
            licence.type in types
            and licence.valid_on(day)
            and licence.covers(site.id, site.consignee.id)
            and charged_to in (None, (licence.issuer, licence.number))
            for licence in self._granted.get(site.consignee.id, ())
        )


def arrivals_matter(rules: RuleSet | None, licences: Iterable[Licence]) -> bool:
    """Tell whether any limit looks at what was received: most ledgers claim none of them."""
    counted = [] if rules is None else [one for one in rules.limits if one.counts == "received"]
    types = {kind for limit in counted for kind in limit.claimed_by}
    return any(not limit.claimed_by for limit in counted) or any(
        licence.type in types for licence in licences
    )
