"""Two persons behind a correction: one who proposes it, and another one who agrees.

A correction takes an event out of the book, so one person alone could take anything out. Whoever
speaks first proposes; it takes effect when a second voice stands behind it. Who proposes and who
agrees may change places.
"""

from collections.abc import Iterable
from itertools import combinations
from typing import Final

from chipledger_book.events import Correction, Event, LedgerRecord
from chipledger_book.statements import Role, Statement, Strength

LOCAL: Final = "local"
"""Begins the name of every account of the collector's own machine, before a colon."""
AGREES: Final = frozenset({Role.AUDITOR, Role.COLLECTOR})
"""As what an account agrees: an auditor, or an administrator, who speaks for the collector."""


def recorded(event: Event, statements: tuple[Statement, ...], *, at_ms: int) -> LedgerRecord:
    """Return the record of a new event; of a correction, one that two persons must stand behind."""
    return LedgerRecord(
        event=event,
        recorded_at_ms=at_ms,
        statements=statements,
        proposed=isinstance(event, Correction),
    )


def are_two(one: Statement, other: Statement) -> bool:
    """Tell whether two statements are of two persons, of whom one may agree.

    The same account, the same key and the same party are one person, whatever the role; so are
    all accounts of the collector's own machine, see :func:`person`. Of two persons one is an
    auditor or administrator, or both signed with the keys of their parties.
    """
    if person(one.principal) == person(other.principal) or voice(one) == voice(other):
        return False
    if not AGREES.isdisjoint((one.role, other.role)):
        return True
    return one.strength is other.strength is Strength.PARTY_KEY


def agreed(statements: Iterable[Statement]) -> bool:
    """Tell whether two persons stand behind a correction."""
    return any(are_two(one, other) for one, other in combinations(tuple(statements), 2))


def agreed_ms(statements: Iterable[Statement]) -> int | None:
    """Return when the second person spoke, None while there is none."""
    pairs = combinations(tuple(statements), 2)
    times = (max(one.stated_at_ms, two.stated_at_ms) for one, two in pairs if are_two(one, two))
    return min(times, default=None)


def person(principal: str) -> str:
    """Return whom a principal stands for.

    ``local:1000`` and ``local:0`` are one: who administers the collector's own machine may act
    there under any of its accounts.
    """
    return LOCAL if principal.startswith(f"{LOCAL}:") else principal


def voice(statement: Statement) -> str:
    """Return whose word a statement is: the party's, or that of an account without one."""
    return statement.party or person(statement.principal)
