"""Country lists, tiers and ceilings: the law as dated data.

A rule set says how a site's countries make its tier and which ceilings exist. Nothing here
knows a number; a new rule set is a new file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Literal

import msgspec

from chipledger_book.calendars import Calendars
from chipledger_book.catalogue import Catalogue, Eccn, Sku
from chipledger_book.entities import AuthorisedEntities, AuthorisedEntity
from chipledger_book.errors import Code, refuse
from chipledger_book.limit_kinds import AmountLimit, Flow, Limit, PartySubject, counts_model
from chipledger_book.parties import Party, Site
from chipledger_book.tables import Table, TableVersion, in_force_on, version_of
from chipledger_book.terms import Country, Force, Name, Record, Text
from chipledger_book.timers import Timers


class CountryList(Record, frozen=True, kw_only=True):
    """Members of one named list in one validity (days inclusive)."""

    list: Name
    members: tuple[Country, ...]
    status: Force
    source: Text
    valid_from: date
    valid_to: date | None = None


class CountryLists(Table, frozen=True, kw_only=True):
    """All named lists of one regime, and which countries are treated as others.

    Attributes:
        countries: every country code there is; a code outside is a mistake, not "the remainder".
        lists: the lists.
        treated_as: a country and the one whose rules hold for it.
    """

    countries: frozenset[Country]
    lists: tuple[CountryList, ...]
    treated_as: dict[Country, Country]

    def members(self, name: str, day: date) -> frozenset[str]:
        """Return the members of a list on a day.

        Raises:
            BookError: `unknown-country-list` when no row holds the day.
        """
        for row in self.lists:
            if row.list == name and in_force_on(day, row.valid_from, row.valid_to):
                return frozenset(row.members)
        raise refuse(
            Code.UNKNOWN_COUNTRY_LIST,
            f"{self.head.id} {self.head.version} has no list {name} on {day}",
            hint="load country lists whose dates hold the day that is asked for",
        )

    def holds(self, name: str, country: str, day: date) -> bool:
        """Tell whether a country, or the one it is treated as, is on a list on a day."""
        return self.treated_as.get(country, country) in self.members(name, day)


Fact = Literal["location", "headquarters", "parent-headquarters", "operator-headquarters"]
PartyRole = Literal["operator", "consignee", "ultimate-parent"]


class Tier(Record, frozen=True, kw_only=True):
    """One tier: which facts of a site must be on the lists for it to apply.

    Attributes:
        tier: name of the tier.
        when: ``any`` or ``all`` of the facts in `of` on one of `lists`, or ``otherwise``.
        lists: names of country lists.
        of: facts of the site that are looked at.
        source: where the rule says so.
        without: a country on one of these lists is on none of `lists`.
        entities: names of lists of authorised entities; the tier holds only where a party in one
            of `roles` is on one of them, and then its lists of countries may be empty.
        roles: which parties of the site are looked for there.
        licence: whether chips need one there at all.
        eccns: chips that need one there, by asserted control; empty: all that are controlled.
        policy: how applications are reviewed, in the rule's words.
    """

    tier: Name
    when: Literal["any", "all", "otherwise"]
    source: Text
    lists: tuple[Name, ...] = ()
    of: tuple[Fact, ...] = ()
    without: tuple[Name, ...] = ()
    entities: tuple[Name, ...] = ()
    roles: tuple[PartyRole, ...] = ()
    licence: Literal["required", "not-required"] = "required"
    eccns: tuple[Eccn, ...] = ()
    policy: Text = ""

    def needs_licence(self, sku: Sku) -> bool:
        """Tell whether chips of a controlled model need a licence in this tier."""
        return self.licence == "required" and (not self.eccns or sku.eccn in self.eccns)


class Ceiling(Record, frozen=True, kw_only=True):
    """A quantity that an exception allows to whoever claims it.

    Attributes:
        ceiling: its name.
        licence_type: the licence type by which a party claims it.
        tiers: tiers whose sites may claim it.
        subject: whose quantities are added up.
        window: over which time.
        counts: which state of a chip counts.
        limit: how much.
        source: where the rule says so.
        eccns: chips that count, by asserted control; empty: all.
        datacenter_only: only chips designed or marketed for data centres count.
    """

    ceiling: Name
    licence_type: Name
    tiers: tuple[Name, ...]
    subject: PartySubject
    window: Flow
    counts: Literal["received"]
    limit: AmountLimit
    source: Text
    eccns: tuple[Eccn, ...] = ()
    datacenter_only: bool = False

    def applies_to(self, sku: Sku) -> bool:
        """Tell whether chips of a model count against this ceiling."""
        return counts_model(sku, self.eccns, datacenter_only=self.datacenter_only)


class Condition(Record, frozen=True, kw_only=True):
    """What a rule demands and only people can certify: shown as stated, never as seen.

    Attributes:
        condition: its name.
        text: what is demanded.
        tiers: tiers whose sites it is for; empty: all.
        licence_types: only for sites that hold one of these; empty: for all.
        certified_by: who certifies it.
        source: where the rule says so.
    """

    condition: Name
    text: Text
    certified_by: Text
    source: Text
    tiers: tuple[Name, ...] = ()
    licence_types: tuple[Name, ...] = ()


class Duty(Record, frozen=True, kw_only=True):
    """A report or notice that somebody owes; its days stand in the calendars.

    Attributes:
        duty: its name.
        text: what is owed.
        owed_by: who owes it.
        report: name of the report in the calendars, where its days stand, or empty.
        licence_types: for sites that hold one of these; empty: for all.
        source: where the rule says so.
    """

    duty: Name
    text: Text
    owed_by: Text
    source: Text
    report: Text = ""
    licence_types: tuple[Name, ...] = ()


class RuleSet(Table, frozen=True, kw_only=True):
    """One regime at one date.

    Attributes:
        country_lists: id of the country list table the tiers name.
        tiers: tried in order; the first that applies is the site's tier.
        ceilings: quantity limits.
        domestic: countries where no licence is needed for the chips to be.
        entities: id of the table of authorised entities the tiers name, or empty.
        limits: what else is held against an amount.
        conditions: what only people can certify.
        duties: reports and notices that are owed.
    """

    country_lists: Name
    tiers: Annotated[tuple[Tier, ...], msgspec.Meta(min_length=1)]
    ceilings: tuple[Ceiling, ...] = ()
    domestic: tuple[Country, ...] = ()
    entities: Text = ""
    limits: tuple[Limit, ...] = ()
    conditions: tuple[Condition, ...] = ()
    duties: tuple[Duty, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The tables one verdict stands on.

    Attributes:
        catalogue: chip models.
        countries: country lists.
        rules: the rule set, or None to hold licences alone against the book.
        calendars: which reports are due when; no verdict uses it.
        entities: parties that are authorised by name, where the rule set looks for them.
        timers: limits of what is watched, or None to watch nothing; no balance depends on them.
    """

    catalogue: Catalogue
    countries: CountryLists
    rules: RuleSet | None = None
    calendars: Calendars | None = None
    entities: AuthorisedEntities | None = None
    timers: Timers | None = None

    _versions: tuple[TableVersion, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Take the digests once; every report of every site names them."""
        tables = (self.catalogue, self.countries, self.rules, self.entities)
        found = tuple(version_of(table) for table in tables if table is not None)
        object.__setattr__(self, "_versions", found)

    def versions(self) -> tuple[TableVersion, ...]:
        """Return what a verdict must write down of them."""
        return self._versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where a rule set puts a site: its tier, and the authorised entity that put it there."""

    tier: Tier
    entity: AuthorisedEntity | None = None


def tier_of(
    site: Site,
    rules: RuleSet,
    countries: CountryLists,
    day: date,
    *,
    entities: AuthorisedEntities | None = None,
) -> str:
    """Return the name of a site's tier on a day."""
    return place(site, rules, countries, day, entities=entities).tier.tier


def place(
    site: Site,
    rules: RuleSet,
    countries: CountryLists,
    day: date,
    *,
    entities: AuthorisedEntities | None = None,
) -> Placed:
    """Return the tier of a site on a day: the first whose lists hold its facts and parties.

    Raises:
        BookError: `unknown-country-list`.
    """
    facts: dict[Fact, str] = {
        "location": site.country,
        "headquarters": site.consignee.headquarters,
        "parent-headquarters": site.ultimate_parent.headquarters,
        "operator-headquarters": site.operator.headquarters,
    }
    for tier in rules.tiers:
        if tier.when != "otherwise" and not _located(tier, facts, countries, day):
            continue
        if not tier.entities:
            return Placed(tier=tier)
        entity = _entity(tier, site, entities, day)
        if entity is not None:
            return Placed(tier=tier, entity=entity)
    return Placed(tier=rules.tiers[-1])  # unreachable once checked: the last is "otherwise"


def _located(tier: Tier, facts: Mapping[Fact, str], countries: CountryLists, day: date) -> bool:
    """Tell whether any or all facts of a tier lie where its lists say."""
    found = (
        any(countries.holds(name, facts[fact], day) for name in tier.lists)
        and not any(countries.holds(name, facts[fact], day) for name in tier.without)
        for fact in tier.of
    )
    return any(found) if tier.when == "any" else all(found)


def _entity(
    tier: Tier, site: Site, entities: AuthorisedEntities | None, day: date
) -> AuthorisedEntity | None:
    """Return the row that authorises a party of a site, or None."""
    parties: dict[PartyRole, Party] = {
        "operator": site.operator,
        "consignee": site.consignee,
        "ultimate-parent": site.ultimate_parent,
    }
    if entities is None:
        return None
    rows = (
        entities.find(name, parties[role], country=site.country, day=day)
        for name in tier.entities
        for role in tier.roles
    )
    return next((row for row in rows if row is not None), None)
