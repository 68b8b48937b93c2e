"""Country lists, tiers and ceilings: the law as dated data.

A rule set says how a site's countries make its tier and which ceilings exist. Nothing here
knows a number; a new rule set is a new file.
"""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

import msgspec

from chipledger_book.calendars import Calendars
from chipledger_book.catalogue import Catalogue, Eccn, Positive, Sku
from chipledger_book.errors import Code, refuse
from chipledger_book.parties import Site
from chipledger_book.tables import Table, TableVersion, in_force_on, overlap, version_of
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


class Tier(Record, frozen=True, kw_only=True):
    """One tier: which facts of a site must be on the lists for it to apply.

    Attributes:
        tier: name of the tier.
        when: ``any`` or ``all`` of the facts in `of` on one of `lists`, or ``otherwise``.
        lists: names of country lists.
        of: facts of the site that are looked at.
        source: where the rule says so.
    """

    tier: Name
    when: Literal["any", "all", "otherwise"]
    source: Text
    lists: tuple[Name, ...] = ()
    of: tuple[Fact, ...] = ()


class AmountLimit(Record, frozen=True, kw_only=True, tag_field="kind", tag="amount"):
    """A fixed amount, inclusive: reaching it is allowed, one more is not."""

    unit: Literal["tpp"]
    amount: Positive


class Ceiling(Record, frozen=True, kw_only=True):
    """A quantity limit of the rule set.

    Attributes:
        ceiling: its name.
        licence_type: the licence type by which a party claims it.
        tiers: tiers whose sites may claim it.
        subject: whose quantities are added up.
        window: over which time.
        counts: which state of a chip counts.
        limit: how much; more kinds of limit may follow under new tags.
        source: where the rule says so.
        eccns: chips that count, by asserted control; empty: all.
        datacenter_only: only chips designed or marketed for data centres count.
    """

    ceiling: Name
    licence_type: Name
    tiers: tuple[Name, ...]
    subject: Literal["ultimate-parent"]
    window: Literal["calendar-year"]
    counts: Literal["received"]
    limit: AmountLimit
    source: Text
    eccns: tuple[Eccn, ...] = ()
    datacenter_only: bool = False

    def applies_to(self, sku: Sku) -> bool:
        """Tell whether chips of a model count against this ceiling."""
        if self.datacenter_only and not sku.datacenter:
            return False
        return not self.eccns or sku.eccn in self.eccns


class RuleSet(Table, frozen=True, kw_only=True):
    """One regime at one date.

    Attributes:
        country_lists: id of the country list table the tiers name.
        tiers: tried in order; the first that applies is the site's tier.
        ceilings: quantity limits.
        domestic: countries where no licence is needed for the chips to be.
    """

    country_lists: Name
    tiers: Annotated[tuple[Tier, ...], msgspec.Meta(min_length=1)]
    ceilings: tuple[Ceiling, ...] = ()
    domestic: tuple[Country, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The tables one verdict stands on.

    Attributes:
        catalogue: chip models.
        countries: country lists.
        rules: the rule set, or None to hold licences alone against the book.
        calendars: which reports are due when; no verdict uses it.
    """

    catalogue: Catalogue
    countries: CountryLists
    rules: RuleSet | None = None
    calendars: Calendars | None = None
    timers: Timers | None = None

    def versions(self) -> tuple[TableVersion, ...]:
        """Return what a verdict must write down of them."""
        tables: tuple[Table | None, ...] = (self.catalogue, self.countries, self.rules)
        return tuple(version_of(table) for table in tables if table is not None)


def tier_of(site: Site, rules: RuleSet, countries: CountryLists, day: date) -> str:
    """Return the tier of a site on a day."""
    facts: dict[Fact, str] = {
        "location": site.country,
        "headquarters": site.consignee.headquarters,
        "parent-headquarters": site.ultimate_parent.headquarters,
        "operator-headquarters": site.operator.headquarters,
    }
    for tier in rules.tiers:
        on_list = [
            any(countries.holds(name, facts[fact], day) for name in tier.lists) for fact in tier.of
        ]
        if tier.when == "otherwise" or (any(on_list) if tier.when == "any" else all(on_list)):
            return tier.tier
    return rules.tiers[-1].tier  # unreachable once checked: the last tier is "otherwise"


def check_country_lists(table: CountryLists) -> CountryLists:
    """Return the lists, once no list has two member sets on one day.

    Raises:
        BookError: `table-dates-overlap`.
    """
    for position, row in enumerate(table.lists):
        for other in table.lists[:position]:
            if other.list == row.list and overlap(
                (row.valid_from, row.valid_to), (other.valid_from, other.valid_to)
            ):
                raise refuse(
                    Code.TABLE_DATES_OVERLAP,
                    f"two rows of list {row.list} are valid on the same day",
                    where=f"lists[{position}]",
                    hint="end the older row the day before the newer starts",
                )
    return table


def check_rule_set(rules: RuleSet, countries: CountryLists) -> RuleSet:
    """Return the rule set, once its tiers end and name lists that exist.

    Raises:
        BookError: `malformed-table` or `unknown-country-list`.
    """
    if rules.tiers[-1].when != "otherwise":
        raise refuse(
            Code.MALFORMED_TABLE,
            "the last tier does not apply to the remainder",
            where="tiers",
            hint='end with a tier of "when": "otherwise"',
        )
    known = {row.list for row in countries.lists}
    for tier in rules.tiers:
        for name in tier.lists:
            if name not in known:
                raise refuse(
                    Code.UNKNOWN_COUNTRY_LIST,
                    f"tier {tier.tier} names the list {name}",
                    hint=f"name a list of {countries.head.id}",
                )
    return rules
