"""What every handler of screens and API is given, and how it opens the database to answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chipledger_server.ports import Entropy
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.book.reconcile import Measure
from chipledger_server.usecases.book.standing import SigningLedger
from chipledger_server.usecases.cases import CaseDesk
from chipledger_server.usecases.party_keys import Registry
from chipledger_server.usecases.people import Hand
from chipledger_server.usecases.periods.store import PeriodDesk
from chipledger_server.usecases.reading import Reads, When
from chipledger_server.usecases.rules.measures import Measures
from chipledger_server.usecases.sampling.store import SampleDesk
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.showing.pages import DEFAULT_LIMIT, MOST_LIMIT, Place, open_cursor
from chipledger_server.usecases.showing.results import Results
from chipledger_server.usecases.times import when
from chipledger_server.web.auth import Gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts behind screens and API.

    Attributes:
        name: the collector's name.
        reads: the database.
        gate: who is asking.
        measures: tables and policy of a balance, by time and rule set.
        now_ms: the collector's clock, Unix milliseconds.
        results: how attestation results are issued.
        ledger: where the book is kept.
        party_keys: keys that parties sign with.
        proposal_ttl_s: how long a proposal waits for its second person.
        entropy: source of randomness.
        cases: findings, to act on.
        periods: closing periods.
        samples: sampling and counting.
    """

    name: str
    reads: Reads
    gate: Gate
    measures: Measures
    now_ms: Callable[[], int]
    results: Results
    ledger: SigningLedger
    party_keys: Registry
    proposal_ttl_s: int
    entropy: Entropy
    cases: CaseDesk
    periods: PeriodDesk
    samples: SampleDesk

    def hand(self, principal: Principal) -> Hand:
        """Return the hand of a principal that acts now."""
        return Hand(principal=principal.name, now_ms=self.now_ms(), entropy=self.entropy)

    @property
    def measure(self) -> Measure:
        """Tables and policy of a balance of now."""
        return self.measures.at(self.now_ms())

    @contextmanager
    def look(
        self, principal: Principal, times: When, *, rules: str | None = None
    ) -> Iterator[Look]:
        """Open the database at this moment, for a principal, two times and a rule set.

        Raises:
            BookError: `unknown-table`.
            Refusal: `table-not-approved`.
        """
        measure = self.measures.at(times.known_at_ms, rules)
        with self.reads.snapshot() as snapshot:
            yield Look(snapshot=snapshot, scope=principal.sites, when=times, measure=measure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """Which part of a collection is asked for, and at which times."""

    cursor: str | None = None
    limit: int = DEFAULT_LIMIT
    as_of: str | None = None
    known_at: str | None = None

    def place(self, collection: str, now_ms: int, *, first: tuple[int | str, ...]) -> Place:
        """Return where to go on: behind the cursor, or from the first key on.

        Raises:
            Refusal: `invalid-cursor` or `invalid-parameter`.
        """
        if self.cursor is not None:
            shape = tuple(type(key) for key in first)
            return open_cursor(self.cursor, collection, shape=shape)
        times = when(self.as_of, self.known_at, now_ms=now_ms)
        return Place(
            collection=collection,
            as_of_ms=times.as_of_ms,
            known_at_ms=times.known_at_ms,
            after=first,
        )


__all__ = ["DEFAULT_LIMIT", "MOST_LIMIT", "Paging", "Parts"]
