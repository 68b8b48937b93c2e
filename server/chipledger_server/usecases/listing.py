"""The two times of every question, and the ledger in a list: what is asked for and shown."""

from collections.abc import Mapping
from dataclasses import dataclass

from chipledger_book.statements import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """The two times of every question.

    Attributes:
        as_of_ms: what was true at.
        known_at_ms: what was known at; what was recorded later plays no part.
    """

    as_of_ms: int
    known_at_ms: int

    @property
    def seen_until_ms(self) -> int:
        """The newest sighting that may speak: neither after `as_of` nor after `known_at`."""
        return min(self.as_of_ms, self.known_at_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerAsked:
    """Which page of the ledger a reader asks for, newest first.

    Attributes:
        when: what was recorded or happened later is left out.
        scope: sites the reader may see; None: everything.
        site: only this site's.
        kind: only of this type.
        party: only those that name this party.
        key: only the one with this id.
        names: only those that answer, confirm or correct the one with this id.
        since_ms: only those that happened then or later.
        before: time and position of the last entry of the page before.
    """

    when: When
    scope: frozenset[str] | None
    site: str | None = None
    kind: str | None = None
    party: str | None = None
    key: str | None = None
    names: str | None = None
    since_ms: int = 0
    before: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrections:
    """Corrections of some events, each by the id of the event: its own id, and the reason.

    Attributes:
        standing: those that took effect.
        proposed: those that wait for a second person.
    """

    standing: Mapping[str, tuple[str, str]]
    proposed: Mapping[str, tuple[tuple[str, str], ...]]

    def of(self, key: str) -> tuple[str, str] | None:
        """Return the correction that took an event out."""
        return self.standing.get(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One event of the ledger in a list, and whether it still stands.

    Attributes:
        pos: in which order it was entered.
        id: its id.
        type: its type.
        site: the site that it is about, where it is about one.
        occurred_ms: when it happened.
        recorded_ms: when it was entered.
        principal: who entered it.
        words: what it says, in one line.
        statements: who stands behind it, and how strongly.
        corrected_by: id and reason of the correction that took it out, or None.
        proposed: id and reason of the corrections that wait for a second person.
        record: its record as it stands in the log.
    """

    pos: int
    id: str
    type: str
    site: str | None
    occurred_ms: int
    recorded_ms: int
    principal: str
    words: str
    statements: tuple[Statement, ...]
    corrected_by: tuple[str, str] | None
    proposed: tuple[tuple[str, str], ...] = ()
    record: bytes = b""
