"""What a rule set says of each site of a scene, and of each country of a ledger."""

from collections import defaultdict

from chipledger_book.ceilings.holdings import Scene
from chipledger_book.ceilings.judge import current, judge, measured
from chipledger_book.ceilings.measure import licensed
from chipledger_book.ledger import Book
from chipledger_book.limit_kinds import Limit
from chipledger_book.parties import Site
from chipledger_book.rule_report import (
    EntityFound,
    LimitUse,
    LimitVerdict,
    Owed,
    RulesView,
    Stated,
)
from chipledger_book.rules import Placed, RuleSet, Tables
from chipledger_book.subjects import subject_of
from chipledger_book.terms import day_of


class Judged:
    """Every limit of the rule set, judged once for a scene."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        rules = scene.rules
        limits = () if rules is None else rules.limits
        self._limits = limits
        self._at = defaultdict[str, list[tuple[Limit, LimitUse]]](list)
        self._of = defaultdict[tuple[str, str], list[LimitUse]](list)
        for limit in limits:
            for use in judge(limit, scene):
                self._of[limit.limit, use.of].append(use)
                for site in use.sites:
                    self._at[site].append((limit, use))

    def exceeded(self, site: str) -> bool:
        """Tell whether a site counts for something that exceeds a ceiling now."""
        return self.over_tpp(site) > 0

    def over_tpp(self, site: str) -> int:
        """Return the TPP beyond the limits that are ceilings now and that a site counts for."""
        return sum(
            use.over_tpp
            for limit, use in self._at.get(site, ())
            if limit.effect == "ceiling"
            and use.verdict is LimitVerdict.EXCEEDED
            and current(use, limit, self._scene)
        )

    def room_tpp(self, site: str) -> int | None:
        """Return the least room in TPP under ceilings that a site counts for; None without any."""
        rooms = [
            use.left
            for limit, use in self._at.get(site, ())
            if limit.effect == "ceiling"
            and use.unit == "tpp"
            and use.total is None  # the room under a share changes with its total
            and use.left is not None
            and current(use, limit, self._scene)
        ]
        return min(rooms, default=None)

    def view(self, site: Site) -> RulesView | None:
        """Return what the rule set says of a site, or None where none holds the day."""
        rules = self._scene.rules
        placed = self._scene.placed(site, self._scene.day)
        if rules is None or placed is None:
            return None
        return RulesView(
            rule_set=rules.head.id,
            version=rules.head.version,
            status=rules.head.status,
            tier=placed.tier.tier,
            tier_source=placed.tier.source,
            policy=placed.tier.policy,
            licence=placed.tier.licence,
            entity=_entity(placed),
            limits=self._limits_of(site),
            conditions=self._conditions(rules, site, placed.tier.tier),
            duties=self._duties(rules, site),
        )

    def _limits_of(self, site: Site) -> tuple[LimitUse, ...]:
        """Return what limits say of the subjects a site is of, and of those it counts for."""
        return tuple(
            use
            for limit in self._limits
            for use in (
                *self._of.get((limit.limit, subject_of(limit.subject, site)), ()),
                *(
                    use
                    for other, use in self._at.get(site.id, ())
                    if other is limit and use.of != subject_of(limit.subject, site)
                ),
            )
        )

    def _conditions(self, rules: RuleSet, site: Site, tier: str) -> tuple[Stated, ...]:
        return tuple(
            Stated(
                condition=row.condition,
                text=row.text,
                certified_by=row.certified_by,
                source=row.source,
            )
            for row in rules.conditions
            if (not row.tiers or tier in row.tiers)
            and self._scene.claims(row.licence_types, site, self._scene.day)
        )

    def _duties(self, rules: RuleSet, site: Site) -> tuple[Owed, ...]:
        return tuple(
            Owed(
                duty=row.duty,
                text=row.text,
                owed_by=row.owed_by,
                report=row.report,
                source=row.source,
            )
            for row in rules.duties
            if self._scene.claims(row.licence_types, site, self._scene.day)
        )


def _entity(placed: Placed) -> EntityFound | None:
    row = placed.entity
    if row is None:
        return None
    return EntityFound(
        list=row.list,
        name=row.name,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        source=row.source,
    )


def country_limits(
    book: Book, tables: Tables, *, as_of_ms: int, scope: frozenset[str] | None = None
) -> tuple[LimitUse, ...]:
    """Return what limits per country say of what the licences of a ledger grant.

    These are of no site's report, because their subject is everybody in a country. Test sites are
    left out, and those outside a scope.
    """
    scene = Scene((), book.licences(), tables, day=day_of(as_of_ms))
    sites = [
        form
        for form in (
            book.site(name, as_of_ms) for name in book.site_ids() if book.declarations(name)
        )
        if not form.test and (scope is None or form.id in scope)
    ]
    rules = scene.rules
    limits = () if rules is None else rules.limits
    return tuple(
        measured(
            limit,
            scene,
            granted.sum,
            of=country,
            part=_span(limit),
            uncounted=granted.uncounted,
        )
        for limit in limits
        if limit.counts == "licensed"
        for country, granted in sorted(licensed(limit, scene, sites).items())
    )


def _span(limit: Limit) -> str:
    return "whole" if limit.window == "whole" else f"{limit.first_day} to {limit.last_day}"
