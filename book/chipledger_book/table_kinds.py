"""Every kind of table by its name: reading and checking one needs no code of its own.

What a table refers to is looked up by id in what is already known, so a rule set is checked
against the very lists that its verdicts will be made with.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, cast

import msgspec

from chipledger_book.calendars import Calendars, check_calendars
from chipledger_book.catalogue import Catalogue, check_catalogue
from chipledger_book.entities import AuthorisedEntities, check_entities
from chipledger_book.errors import Code, refuse
from chipledger_book.rule_checks import check_country_lists, check_rule_set
from chipledger_book.rules import CountryLists, RuleSet
from chipledger_book.tables import Table, TableKind, parse_table
from chipledger_book.timers import Timers, check_timers

MAX_TABLE_BYTES: Final = 4 * 1024 * 1024
Known = Mapping[tuple[TableKind, str], Table]
"""Kind and id → the table that holds beside the one that is read."""


class _Kind(msgspec.Struct, frozen=True):
    kind: TableKind


class _Headed(msgspec.Struct, frozen=True):
    """As much of a table as tells which kind it is."""

    head: _Kind


@dataclass(frozen=True, slots=True)
class _Format:
    struct: type[Table]
    check: Callable[[Any, Known], object]


def _alone(check: Callable[[Any], object]) -> Callable[[Any, Known], object]:
    return lambda table, _: check(table)


def _check_rules(rules: RuleSet, known: Known) -> object:
    countries = _needed(rules, "country-lists", rules.country_lists, known)
    entities = _needed(rules, "entities", rules.entities, known) if rules.entities else None
    return check_rule_set(
        rules,
        cast("CountryLists", countries),
        entities=cast("AuthorisedEntities | None", entities),
    )


def _needed(rules: RuleSet, kind: TableKind, name: str, known: Known) -> Table:
    found = known.get((kind, name))
    if found is None:
        raise refuse(
            Code.UNKNOWN_TABLE,
            f"{rules.head.id} {rules.head.version} names {name}, and there is no such {kind}",
            where="entities" if kind == "entities" else "country_lists",
            hint="load that table and have it approved first, or correct the name",
        )
    return found


_FORMATS: Final[Mapping[TableKind, _Format]] = {
    "chip-catalogue": _Format(Catalogue, _alone(check_catalogue)),
    "country-lists": _Format(CountryLists, _alone(check_country_lists)),
    "rule-set": _Format(RuleSet, _check_rules),
    "entities": _Format(AuthorisedEntities, _alone(check_entities)),
    "timers": _Format(Timers, _alone(check_timers)),
    "calendars": _Format(Calendars, _alone(check_calendars)),
}

TableBytes = Annotated[bytes, msgspec.Meta(max_length=MAX_TABLE_BYTES)]


def read_table(data: bytes) -> Table:
    """Return the table in a file, of whatever kind it says it is, not yet checked.

    Raises:
        BookError: `malformed-table`, `table-dates-wrong` or `unknown-quantity-unit`.
    """
    if len(data) > MAX_TABLE_BYTES:
        raise refuse(
            Code.MALFORMED_TABLE,
            f"{len(data)} bytes, at most {MAX_TABLE_BYTES} are read",
            hint="split the table, or leave out rows of long ago",
        )
    try:
        kind = msgspec.json.decode(data, type=_Headed).head.kind
    except (msgspec.DecodeError, RecursionError) as error:
        raise refuse(
            Code.MALFORMED_TABLE,
            str(error),
            where="head.kind",
            hint=f"a table is JSON with a head, whose kind is one of {', '.join(_FORMATS)}",
        ) from error
    return parse_table(data, _FORMATS[kind].struct)


def check_table(table: Table, known: Known) -> Table:
    """Return the table, once it holds by itself and beside what it names.

    Raises:
        BookError: everything that is wrong with it, with the row.
    """
    _FORMATS[table.head.kind].check(table, known)
    return table
