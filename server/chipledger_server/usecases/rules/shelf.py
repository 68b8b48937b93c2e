"""Which version of which table a question is answered with. Pure.

A version holds from when a second person approved it; the tables that the collector began with
hold from its beginning. A question at `known_at` is answered with what held then, so that an old
verdict comes out again, and one that names a version is answered with that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, TypeVar

from chipledger_book import shipped
from chipledger_book.calendars import Calendars
from chipledger_book.catalogue import Catalogue
from chipledger_book.entities import AuthorisedEntities
from chipledger_book.errors import Code, refuse
from chipledger_book.rules import CountryLists, RuleSet, Tables
from chipledger_book.tables import Table, TableKind, version_of
from chipledger_book.timers import Timers
from chipledger_server.usecases.refusals import Code as RefusalCode
from chipledger_server.usecases.refusals import Refusal

CATALOGUE: Final = "chips"
"""Id of the chip catalogue that models are looked up in."""
Wish = Literal["load", "adopt"]
State = Literal["shipped", "approved", "waits", "declined", "expired", "offered"]
Key = tuple[TableKind, str]
T = TypeVar("T", bound=Table)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTable:
    """A version of a table as the database keeps it.

    Attributes:
        table: the table.
        digest: of its canonical encoding.
        shipped: whether the collector began with it.
    """

    table: Table
    digest: str
    shipped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleProposal:
    """What one person wants of the rules and another must agree to.

    Attributes:
        id: names it.
        wish: that a version holds from now on, or that a rule set is what is asked by default.
        kind: kind of table.
        table: id of the table.
        version: which version; empty for an adoption: the newest at any time.
        digest: its digest, or empty.
        reason: why.
        proposed_ms: when.
        proposed_by: name of the principal.
        decided_ms: when it was decided.
        decided_by: name of the other principal.
        approved: how.
    """

    id: str
    wish: Wish
    kind: TableKind
    table: str
    version: str
    digest: str
    reason: str
    proposed_ms: int
    proposed_by: str
    decided_ms: int | None = None
    decided_by: str | None = None
    approved: bool | None = None

    def expired(self, now_ms: int, *, ttl_s: int) -> bool:
        """Tell whether nobody decided it in its time."""
        return self.decided_ms is None and now_ms - self.proposed_ms >= ttl_s * 1000

    def held(self, known_at_ms: int) -> bool:
        """Tell whether it was approved by a time."""
        return (
            bool(self.approved) and self.decided_ms is not None and (self.decided_ms <= known_at_ms)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a table, and what became of it.

    Attributes:
        table: the table.
        digest: its digest.
        state: shipped with the collector's first tables, approved, waiting, declined, expired,
            or offered: this software brings it and nobody proposed it yet.
        since_ms: since when it holds, or None.
        proposal: the newest proposal of it, if there is any.
    """

    table: Table
    digest: str
    state: State
    since_ms: int | None
    proposal: RuleProposal | None = None


class Shelf:
    """Every version of every table that a collector knows of."""

    def __init__(self, stored: Sequence[StoredTable], proposals: Iterable[RuleProposal]) -> None:
        began = any(one.shipped for one in stored)
        self._stored = list(stored) if began else [*_first(), *stored]
        self._proposals = sorted(proposals, key=lambda one: (one.proposed_ms, one.id))

    @property
    def proposals(self) -> Sequence[RuleProposal]:
        """All proposals, oldest first."""
        return self._proposals

    def versions(self, now_ms: int, *, ttl_s: int) -> list[Version]:
        """Return every version, table by table, the newest last."""
        found = [self._version(one, now_ms, ttl_s=ttl_s) for one in self._stored]
        names = {_name(one.table) for one in found}
        found += [
            Version(table=table, digest=version_of(table).digest, state="offered", since_ms=None)
            for table in shipped.every()
            if _name(table) not in names and not self._outdated(table)
        ]
        return sorted(
            found, key=lambda one: (_key(one.table), one.since_ms is None, one.since_ms or 0)
        )

    def known(self, known_at_ms: int) -> dict[Key, Table]:
        """Return the version of every table that held at a time."""
        held: dict[Key, tuple[int, Table]] = {}
        for one in self._stored:
            since = self._since(one, known_at_ms)
            key = _key(one.table)
            if since is not None and (key not in held or held[key][0] <= since):
                held[key] = (since, one.table)
        return {key: table for key, (_, table) in held.items()}

    def adopted(self, known_at_ms: int) -> str:
        """Return the id of the rule set that is asked by default at a time."""
        chosen = [one for one in self._proposals if one.wish == "adopt" and one.held(known_at_ms)]
        newest = max(chosen, key=lambda one: one.decided_ms or 0, default=None)
        return shipped.FIRST_RULES if newest is None else newest.table

    def find(self, name: str, version: str | None, known_at_ms: int) -> Table:
        """Return a table by id, as it held at a time, or in the very version that is named.

        Raises:
            BookError: `unknown-table`.
            Refusal: `table-not-approved`.
        """
        if version is None:
            for (_, held), table in self.known(known_at_ms).items():
                if held == name:
                    return table
            raise _unknown(name, "", sorted(held for _, held in self.known(known_at_ms)))
        for one in self._stored:
            if (one.table.head.id, one.table.head.version) == (name, version):
                if not one.shipped and not self._approvals(one.table):
                    raise Refusal(
                        RefusalCode.TABLE_NOT_APPROVED,
                        f"{name} {version} was loaded, and no second person approved it",
                        hint="chipledger-server rules list shows what waits",
                    )
                return one.table
        for table in shipped.every():
            if (table.head.id, table.head.version) == (name, version):
                return table
        raise _unknown(name, version, [])

    def any_version(self, name: str, version: str) -> Table:
        """Return a version whatever became of it, to be looked at.

        Raises:
            BookError: `unknown-table`.
        """
        for table in (*(one.table for one in self._stored), *shipped.every()):
            if (table.head.id, table.head.version) == (name, version):
                return table
        raise _unknown(name, version, [])

    def tables(self, rules: str | None, known_at_ms: int) -> Tables:
        """Return the tables of a question: under ``ID``, ``ID@VERSION``, or what is adopted.

        Raises:
            BookError: `unknown-table`.
            Refusal: `table-not-approved`.
        """
        name, _, version = (rules or self.adopted(known_at_ms)).partition("@")
        chosen = self.find(name, version or None, known_at_ms)
        if not isinstance(chosen, RuleSet):
            raise refuse(
                Code.UNKNOWN_TABLE,
                f"{name} is a {chosen.head.kind}",
                hint="name a rule set; chipledger-server rules list shows them",
            )
        known = self.known(known_at_ms)
        return Tables(
            catalogue=_need(known, "chip-catalogue", CATALOGUE, Catalogue),
            countries=_need(known, "country-lists", chosen.country_lists, CountryLists),
            rules=chosen,
            entities=_need(known, "entities", chosen.entities, AuthorisedEntities)
            if chosen.entities
            else None,
            calendars=_some(known, Calendars),
            timers=_some(known, Timers),
        )

    def rule_sets(self, known_at_ms: int) -> list[str]:
        """Return the ids of all rule sets that hold at a time."""
        return sorted(name for kind, name in self.known(known_at_ms) if kind == "rule-set")

    def stored(self, table: Table) -> StoredTable | None:
        """Return what is kept under the name of a table, whatever became of it."""
        return next((one for one in self._stored if _name(one.table) == _name(table)), None)

    def waiting(self, table: Table, now_ms: int, *, ttl_s: int) -> RuleProposal | None:
        """Return the proposal of a version that waits for a second person."""
        return next(
            (
                one
                for one in self._proposals
                if one.wish == "load"
                and (one.kind, one.table, one.version) == _name(table)
                and one.decided_ms is None
                and not one.expired(now_ms, ttl_s=ttl_s)
            ),
            None,
        )

    def _version(self, one: StoredTable, now_ms: int, *, ttl_s: int) -> Version:
        proposal = next(
            (
                p
                for p in reversed(self._proposals)
                if (p.kind, p.table, p.version) == _name(one.table)
            ),
            None,
        )
        since = self._since(one, now_ms)
        state: State = "shipped" if one.shipped else "waits"
        if not one.shipped and proposal is not None:
            if since is not None:
                state = "approved"
            elif proposal.decided_ms is not None:
                state = "declined"
            elif proposal.expired(now_ms, ttl_s=ttl_s):
                state = "expired"
        return Version(
            table=one.table, digest=one.digest, state=state, since_ms=since, proposal=proposal
        )

    def _since(self, one: StoredTable, known_at_ms: int) -> int | None:
        """Return since when a version holds, if it did at a time."""
        if one.shipped:
            return 0
        times = [p.decided_ms or 0 for p in self._approvals(one.table) if p.held(known_at_ms)]
        return min(times, default=None)

    def _approvals(self, table: Table) -> list[RuleProposal]:
        return [
            one
            for one in self._proposals
            if one.wish == "load"
            and one.approved
            and (one.kind, one.table, one.version) == _name(table)
        ]

    def _outdated(self, table: Table) -> bool:
        """Tell whether this software brings a newer version of a shipped table."""
        return shipped.newest()[_key(table)] is not table


@cache
def _first() -> tuple[StoredTable, ...]:
    """Return the tables that a collector begins with."""
    return tuple(
        StoredTable(table=table, digest=version_of(table).digest, shipped=True)
        for table in shipped.newest().values()
    )


def _key(table: Table) -> Key:
    return table.head.kind, table.head.id


def _name(table: Table) -> tuple[str, str, str]:
    return table.head.kind, table.head.id, table.head.version


def _need(known: Mapping[Key, Table], kind: TableKind, name: str, struct: type[T]) -> T:
    found = known.get((kind, name))
    if not isinstance(found, struct):
        raise refuse(
            Code.UNKNOWN_TABLE,
            f"no {kind} {name} was approved by then",
            hint="have it approved, or ask for a later known_at",
        )
    return found


def _some(known: Mapping[Key, Table], struct: type[T]) -> T | None:
    return next((table for table in known.values() if isinstance(table, struct)), None)


def _unknown(name: str, version: str, there: Sequence[str]) -> Exception:
    return refuse(
        Code.UNKNOWN_TABLE,
        f"there is no table {name}{' ' if version else ''}{version}",
        hint=f"there are {', '.join(there)}" if there else "chipledger-server rules list shows all",
    )
