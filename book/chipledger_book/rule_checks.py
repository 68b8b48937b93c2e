"""What a table of rules must be before anything is decided by it.

A table is refused as a whole, and the refusal names the row.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise

from chipledger_book.entities import AuthorisedEntities
from chipledger_book.errors import BookError, Code, Problem, refuse
from chipledger_book.limit_kinds import AttributeLimit, Limit, ShareLimit, SteppedLimit
from chipledger_book.rules import CountryLists, RuleSet
from chipledger_book.tables import overlap

_DAY = timedelta(days=1)
Span = tuple[date | None, date | None]


def check_country_lists(table: CountryLists) -> CountryLists:
    """Return the lists, once each has one set of members on every day of its span.

    Raises:
        BookError: `table-dates-overlap`, `table-dates-gap`, `table-dates-wrong` or
            `unknown-country`.
    """
    rows: dict[str, list[tuple[int, Span]]] = defaultdict(list)
    for position, row in enumerate(table.lists):
        where = f"lists[{position}]"
        if row.valid_to is not None and row.valid_to < row.valid_from:
            raise _ends_before(f"list {row.list}", row.valid_from, row.valid_to, where)
        strangers = sorted({*row.members} - table.countries)
        if strangers:
            raise refuse(
                Code.UNKNOWN_COUNTRY,
                f"list {row.list} holds {', '.join(strangers)}, which `countries` does not",
                where=f"{where}.members",
                hint="write ISO 3166-1 alpha-2 codes, upper case",
            )
        rows[row.list].append((position, (row.valid_from, row.valid_to)))
    for name, spans in rows.items():
        check_spans(f"list {name}", spans, "lists")
    return table


def check_spans(what: str, rows: Sequence[tuple[int, Span]], member: str) -> None:
    """Do nothing if the rows of one thing follow each other day by day.

    Raises:
        BookError: `table-dates-overlap` or `table-dates-gap`, with the row.
    """
    ordered = sorted(rows, key=lambda row: (row[1][0] or date.min, row[0]))
    for (_, earlier), (position, later) in pairwise(ordered):
        where = f"{member}[{position}]"
        if overlap(earlier, later):
            raise refuse(
                Code.TABLE_DATES_OVERLAP,
                f"two rows of {what} are valid on the same day, {later[0] or 'the first'}",
                where=where,
                hint="end the older row the day before the newer starts",
            )
        if earlier[1] is not None and later[0] is not None and later[0] - earlier[1] > _DAY:
            raise refuse(
                Code.TABLE_DATES_GAP,
                f"no row of {what} holds the days from {earlier[1] + _DAY} to {later[0] - _DAY}",
                where=where,
                hint="let the newer row start the day after the older ends, or add the missing row",
            )


def check_rule_set(
    rules: RuleSet, countries: CountryLists, *, entities: AuthorisedEntities | None = None
) -> RuleSet:
    """Return the rule set, once its tiers end and everything it names exists in its days.

    Raises:
        BookError: everything that is wrong: `malformed-table`, `unknown-country-list`,
            `table-dates-gap`, `table-dates-wrong`, `table-entry-repeated` or `unknown-table`.
    """
    problems = [*_tier_problems(rules, countries, entities), *_limit_problems(rules, countries)]
    if problems:
        raise BookError(problems)
    return rules


def _tier_problems(
    rules: RuleSet, countries: CountryLists, entities: AuthorisedEntities | None
) -> Iterator[Problem]:
    if rules.tiers[-1].when != "otherwise" or rules.tiers[-1].entities:
        yield _malformed(
            "the last tier does not apply to the remainder",
            "tiers",
            'end with a tier of "when": "otherwise"',
        )
    yield from _repeated([tier.tier for tier in rules.tiers], "tiers", "tier")
    known = set() if entities is None else {row.list for row in entities.entities}
    for position, tier in enumerate(rules.tiers):
        where = f"tiers[{position}]"
        names = (*tier.lists, *tier.without)
        yield from _list_problems(names, rules, countries, f"tier {tier.tier}", where=where)
        if bool(tier.entities) != bool(tier.roles):
            yield _malformed(
                f"tier {tier.tier} must name both `entities` and `roles`, or neither",
                where,
                "say whose name is looked for on which list",
            )
        for name in tier.entities:
            if name not in known:
                yield Problem(
                    code=Code.UNKNOWN_TABLE,
                    where=f"{where}.entities",
                    detail=f"tier {tier.tier} names the entity list {name}",
                    hint="name a list of the table in `entities`, and load that table first",
                )


def _limit_problems(rules: RuleSet, countries: CountryLists) -> Iterator[Problem]:
    tiers = {tier.tier for tier in rules.tiers}
    named: dict[str, Iterable[tuple[str, tuple[str, ...]]]] = {
        "ceilings": [(row.ceiling, row.tiers) for row in rules.ceilings],
        "limits": [(row.limit, row.tiers) for row in rules.limits],
        "conditions": [(row.condition, row.tiers) for row in rules.conditions],
        "duties": [(row.duty, ()) for row in rules.duties],
    }
    for member, rows in named.items():
        yield from _repeated([name for name, _ in rows], member, member[:-1])
        for position, (name, of) in enumerate(rows):
            for tier in of:
                if tier not in tiers:
                    yield _malformed(
                        f"{name} names the tier {tier}",
                        f"{member}[{position}].tiers",
                        "name a tier of this rule set",
                    )
    for position, limit in enumerate(rules.limits):
        where = f"limits[{position}]"
        yield from _shape_problems(limit, where)
        yield from _bound_problems(limit, where)
        if isinstance(limit.bound, ShareLimit):
            names = (*limit.bound.outside, *limit.bound.inside, *limit.bound.base)
            names += limit.bound.headquarters
            yield from _list_problems(names, rules, countries, limit.limit, where=f"{where}.bound")


_WINDOWS = {
    "received": {"calendar-year", "calendar-quarter", "whole", "span", "shipment"},
    "installed": {"point-in-time"},
    "owned": {"point-in-time"},
    "licensed": {"span", "whole"},
}


def _shape_problems(limit: Limit, where: str) -> Iterator[Problem]:
    """Yield what cannot be measured: quantities, windows and bounds that do not go together."""
    if limit.window not in _WINDOWS[limit.counts]:
        yield _malformed(
            f"{limit.limit}: what is {limit.counts} has no window {limit.window}",
            f"{where}.window",
            f"one of {', '.join(sorted(_WINDOWS[limit.counts]))}",
        )
    if (limit.subject == "country") != (limit.counts == "licensed"):
        yield _malformed(
            f"{limit.limit}: what is licensed counts per country, and nothing else does",
            f"{where}.subject",
            "received, installed and owned chips count per site or party",
        )
    if (limit.window == "span") != (limit.first_day is not None and limit.last_day is not None):
        yield Problem(
            code=Code.TABLE_DATES_WRONG,
            where=f"{where}.first_day",
            detail=f"{limit.limit}: a span, and nothing else, has a first and a last day",
            hint="give `first_day` and `last_day` with the window `span`",
        )
    share = isinstance(limit.bound, ShareLimit | AttributeLimit | SteppedLimit)
    if share and limit.window != "point-in-time":
        yield _malformed(
            f"{limit.limit}: this kind of bound is measured at one point in time",
            f"{where}.window",
            "give the window `point-in-time`, and count what is owned or installed",
        )


def _bound_problems(limit: Limit, where: str) -> Iterator[Problem]:
    bound = limit.bound
    first, last = limit.first_day, limit.last_day
    if first is not None and last is not None and last < first:
        yield _ends_before(limit.limit, first, last, where).problems[0]
    if isinstance(bound, SteppedLimit):
        days = [step.first_day for step in bound.steps]
        for position, (earlier, later) in enumerate(pairwise(days)):
            if later <= earlier:
                yield Problem(
                    code=Code.TABLE_DATES_OVERLAP,
                    where=f"{where}.bound.steps[{position + 1}]",
                    detail=f"{limit.limit}: the step of {later} does not follow that of {earlier}",
                    hint="write the steps oldest first, one a day",
                )
        if bound.last_day < days[-1]:
            yield _ends_before(limit.limit, days[-1], bound.last_day, where).problems[0]
    if isinstance(bound, ShareLimit) and bound.outside and bound.inside:
        yield _malformed(
            f"{limit.limit}: the part lies outside lists or inside, not both",
            f"{where}.bound",
            "keep one of `outside` and `inside`",
        )


def _list_problems(
    names: Iterable[str], rules: RuleSet, countries: CountryLists, who: str, *, where: str
) -> Iterator[Problem]:
    """Yield the lists that are not there, or not on every day on which the rules hold."""
    for name in names:
        rows = [row for row in countries.lists if row.list == name]
        if not rows:
            yield Problem(
                code=Code.UNKNOWN_COUNTRY_LIST,
                where=where,
                detail=f"{who} names the list {name}",
                hint=f"name a list of {countries.head.id}",
            )
            continue
        first = min(row.valid_from for row in rows)
        ends = [row.valid_to for row in rows]
        last = None if None in ends else max(end for end in ends if end is not None)
        end = rules.head.valid_to
        if first > rules.head.valid_from or (last is not None and (end is None or last < end)):
            yield Problem(
                code=Code.TABLE_DATES_GAP,
                where=where,
                detail=f"{who} names the list {name}, which holds {first} to {last or 'today'}; "
                f"the rules hold {rules.head.valid_from} to {end or 'today'}",
                hint="load country lists that hold every day of the rules, or narrow the rules",
            )


def _repeated(names: Sequence[str], member: str, what: str) -> Iterator[Problem]:
    for position, name in enumerate(names):
        if name in names[:position]:
            yield Problem(
                code=Code.TABLE_ENTRY_REPEATED,
                where=f"{member}[{position}]",
                detail=f"the {what} {name} stands twice",
                hint="give each row its own name",
            )


def _malformed(detail: str, where: str, hint: str) -> Problem:
    return Problem(code=Code.MALFORMED_TABLE, where=where, detail=detail, hint=hint)


def _ends_before(what: str, first: date, last: date, where: str) -> BookError:
    return refuse(
        Code.TABLE_DATES_WRONG,
        f"{what} ends on {last}, before it starts on {first}",
        where=where,
        hint="give a last day on or after the first",
    )
