"""The port that readers read through, and what they ask.

Every question has two times: `as_of`, what was true at, and `known_at`, what was known at.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from chipledger_book.cases import Case
from chipledger_book.catalogue import ObservedModel
from chipledger_book.events import LedgerRecord
from chipledger_book.physical import Stay
from chipledger_book.watch import Wait
from chipledger_evidence.gpu.result import EvidenceResult
from chipledger_evidence.inventory import Inventory
from chipledger_server.usecases.listing import LedgerAsked as LedgerAsked  # noqa: PLC0414
from chipledger_server.usecases.listing import LedgerEntry as LedgerEntry  # noqa: PLC0414
from chipledger_server.usecases.listing import When as When  # noqa: PLC0414
from chipledger_server.usecases.physical import Claim, Rival
from chipledger_server.usecases.stays import StayRule
from chipledger_server.usecases.views import (
    ChainLink,
    ChipSummary,
    Dispute,
    EventView,
    EvidenceRound,
    HostKey,
    LogEntry,
    Run,
    Sighting,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostsAsked:
    """Which hosts a reader asks for.

    Attributes:
        when: hosts enrolled later are left out.
        scope: sites the reader may see; None: everything.
        site: only this site's.
        host: only this one.
    """

    when: When
    scope: frozenset[str] | None
    site: str | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What is stored of a host.

    Attributes:
        last_fresh_ms: newest fresh report up to the time asked for.
        inventory: digest of the inventory that report named.
        missing: ranges of token numbers that never arrived, first and last.
        retired_ms: since when nobody waits for it.
    """

    id: str
    site: str
    hardware: str | None
    provider: str
    key_tier: str
    enrolled_ms: int
    last_fresh_ms: int | None
    inventory: bytes | None
    missing: Sequence[tuple[int, int]]
    retired_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLife:
    """What people decided of a host and its site.

    Attributes:
        retired: two people said that it will not report any more.
        test_site: its site accepts simulated chips.
    """

    retired: bool
    test_site: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipsAsked:
    """Which chips a reader asks for.

    Attributes:
        when: chips seen only later are left out.
        scope: sites the reader may see; None: everything.
        chip: only this one.
        name: only those with this PDI, UUID or board serial.
    """

    when: When
    scope: frozenset[str] | None
    chip: int | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sightings:
    """Where a chip was seen, newest first, and what was last observed of its model."""

    seen: Sequence[Sighting]
    model: ObservedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class LateSince:
    """What began until these times is late: to be acknowledged, explained, and decided."""

    acknowledge_ms: int
    explain_ms: int
    decide_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsAsked:
    """Which findings a reader asks for.

    Attributes:
        when: findings opened later are left out, those resolved later were open.
        scope: sites the reader may see; None: everything.
        site: only this site's.
        host: only this host's.
        chip: only this chip's.
        states: only those whose case is in one of these states; None: all.
        severity: only of this severity.
        kind: only of this type.
        owner: only those this person is answerable for.
        opened_until_ms: only those opened until then.
        late: only those for which somebody is late: whose newest turn began until then.
    """

    when: When
    scope: frozenset[str] | None
    site: str | None = None
    host: str | None = None
    chip: int | None = None
    states: frozenset[str] | None = None
    severity: str | None = None
    kind: str | None = None
    owner: str | None = None
    opened_until_ms: int | None = None
    late: LateSince | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailRow:
    """One record of a finding: what became of the fact, or what somebody did about it.

    Attributes:
        kind: type of its log entry.
        time_ms: when it was written down.
        record: its canonical bytes.
        log_index: its place in the log, or None while it waits for one.
    """

    kind: str
    time_ms: int
    record: bytes
    log_index: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """A finding as stored, its case as it was at the time asked for."""

    id: str
    type: str
    case: Case
    subject: str
    site: str | None
    host: str | None
    chip: int | None
    opened_ms: int
    seen_ms: int
    resolved_ms: int | None
    times: int
    detail: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsAsked:
    """Which events of the ledger a reader asks for.

    Attributes:
        when: what was recorded or happened later is left out.
        scope: sites the reader may see; None: everything.
        site: only this site's.
        kind: only of this type.
    """

    when: When
    scope: frozenset[str] | None
    site: str | None = None
    kind: str | None = None


class WaitState(StrEnum):
    """Which waits a reader asks for."""

    OVERDUE = "overdue"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitsAsked:
    """Which waits a reader asks for.

    Attributes:
        scope: sites the reader may see; None: everything.
        now_ms: what is late is so at this time.
        site: only this site's.
        owner: only what this party or role must do.
        state: only overdue, running (overdue ones among them) or ended ones.
        event: only those that this event began.
    """

    scope: frozenset[str] | None
    now_ms: int
    site: str | None = None
    owner: str | None = None
    state: WaitState | None = None
    event: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Up to where the database was read.

    Attributes:
        event: newest event of the ledger.
        statement: newest statement on an event that the ledger held.
        run: newest run of sightings.
        record: newest record that the sequencer has applied.
    """

    event: int
    statement: int
    run: int
    record: int

    def precedes(self, other: "Position") -> bool:
        """Tell whether nothing here lies after the other."""
        told = self.event <= other.event and self.statement <= other.statement
        return told and self.run <= other.run and self.record <= other.record


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What was written between two positions.

    Attributes:
        sites: sites of which something may be otherwise now.
        owners: ultimate parents and consignees of whom a site or licence is declared otherwise.
    """

    sites: frozenset[str]
    owners: frozenset[str]


class Snapshot(Protocol):
    """The database at one moment: every answer of one request comes from one of these."""

    def all_records(self, when: When) -> Sequence[LedgerRecord]:
        """Return the whole ledger as known at a time."""
        ...

    def family_records(self, when: When, *, site: str) -> Sequence[LedgerRecord]:
        """Return the events that bear on one site: its own, its parents' sites', licences'."""
        ...

    def outline(self, when: When, *, site: str) -> Sequence[LedgerRecord]:
        """Return the declarations of a site's family, and its licences."""
        ...

    def site_records(self, when: When, *, sites: Collection[str]) -> Sequence[LedgerRecord]:
        """Return the events of sites, what answers them, and who their chips came from.

        Of some hundreds of sites at most.
        """
        ...

    def families(self) -> Sequence[Sequence[str]]:
        """Return all sites that were ever declared, in families: sorted, as are these.

        No site of a family shares a licence or an owner with a site of another.
        """
        ...

    def position(self, when: When) -> Position | None:
        """Return how far the database reaches, or None where it reaches beyond the question."""
        ...

    def touched(self, since: Position, until: Position) -> Touched:
        """Return what was written between two positions."""
        ...

    def attested_records(
        self, when: When, *, site: str | None = None, kind: str | None = None
    ) -> Sequence[LedgerRecord]:
        """Return what the collector recorded by itself: `installed`, `moved`, or both.

        At a site, or at all of them.

        No balance needs them, so they are in none of the other answers of records.
        """
        ...

    def claims(
        self, when: When, *, site: str | None = None, host: str | None = None
    ) -> Sequence[Claim]:
        """Return every device in the newest inventory of each host."""
        ...

    def rivals(self, when: When, *, site: str) -> Sequence[Rival]:
        """Return other sightings of the chips that hosts of a site hold, none of older end."""
        ...

    def disputed(self, when: When, *, site: str) -> frozenset[tuple[int, str]]:
        """Return chip and host of claims on those chips that do not count."""
        ...

    def stays(self, when: When, *, site: str, rule: StayRule) -> Sequence[Stay]:
        """Return the history of the chips that hosts of a site showed there, by chip and time."""
        ...

    def stays_of(self, when: When, names: Collection[str], *, rule: StayRule) -> Sequence[Stay]:
        """Return the history, at any site, of the chips that a PDI, UUID or board serial names."""
        ...

    def waits(self, ask: WaitsAsked, *, after: tuple[int, str, str], limit: int) -> Sequence[Wait]:
        """Return what waits for somebody, by due time, after (due, kind, key)."""
        ...

    def count_overdue(self, ask: WaitsAsked) -> int:
        """Return how many of the waits asked for are overdue."""
        ...

    def looked_ms(self) -> int | None:
        """Return since when everything was looked at, or None before the first round."""
        ...

    def looked_scopes(self) -> frozenset[str]:
        """Return every scope that was ever looked at."""
        ...

    def newest_round(self, host: str, when: When) -> EvidenceRound | None:
        """Return the newest round of device evidence of a host."""
        ...

    def judged_rounds(self, host: str, when: When, *, since_ms: int) -> Sequence[EvidenceResult]:
        """Return the judged rounds of a host since a time, newest first."""
        ...

    def ever_signed(self, chips: Collection[int], when: When) -> frozenset[int]:
        """Return which of these chips had signed anywhere."""
        ...

    def host_life(self, host: str, when: When) -> HostLife:
        """Return whether a host that there is was retired, and whether its site is a test site."""
        ...

    def downtime(self, when: When) -> Sequence[tuple[int, int]]:
        """Return when the collector itself was not accepting."""
        ...

    def site_ids(self) -> Sequence[str]:
        """Return the ids of all sites."""
        ...

    def hosts(self, ask: HostsAsked, *, after: str, limit: int | None) -> Sequence[HostFacts]:
        """Return hosts in the order of their ids."""
        ...

    def heard(self, when: When, *, site: str) -> Sequence[int | None]:
        """Return of each host of a site when it was last heard, or None: never."""
        ...

    def keys(self, host: str, when: When) -> Sequence[HostKey]:
        """Return a host's keys, oldest first."""
        ...

    def runs(self, host: str, when: When, *, limit: int) -> Sequence[Run]:
        """Return a host's runs, newest first."""
        ...

    def chain(
        self, host: str, when: When, *, before: int | None, limit: int
    ) -> Sequence[ChainLink]:
        """Return a host's tokens, newest number first."""
        ...

    def inventory(self, digest: bytes) -> Inventory | None:
        """Return an inventory by its digest."""
        ...

    def chips(self, ask: ChipsAsked, *, after: int, limit: int) -> Sequence[ChipSummary]:
        """Return chips in the order of their ids."""
        ...

    def sightings(
        self, chip: int, when: When, *, scope: frozenset[str] | None, limit: int
    ) -> Sightings:
        """Return where a chip was seen."""
        ...

    def names_seen(self, names: Collection[str], *, scope: frozenset[str] | None) -> frozenset[str]:
        """Return which PDIs and UUIDs hosts of these sites reported of a chip they name."""
        ...

    def disputes(self, chip: int, when: When, *, scope: frozenset[str] | None) -> Sequence[Dispute]:
        """Return the disputes over a chip."""
        ...

    def findings(
        self, ask: FindingsAsked, *, after: tuple[int, str] | None, limit: int
    ) -> Sequence[FindingRow]:
        """Return findings, newest first, after (opened, id)."""
        ...

    def worst_findings(
        self, ask: FindingsAsked, *, limit: int, after: tuple[int, int, str] | None = None
    ) -> Sequence[FindingRow]:
        """Return findings, worst first and oldest first among equals, after (rank, opened, id)."""
        ...

    def tally_findings(self, ask: FindingsAsked) -> Mapping[str, Mapping[str, int]]:
        """Return how many findings there are, by state of their cases and severity."""
        ...

    def trail(self, finding: str, when: When) -> Sequence[TrailRow]:
        """Return the records of a finding, in the order of the log."""
        ...

    def count_findings(self, ask: FindingsAsked) -> Mapping[str | None, Mapping[str, int]]:
        """Return how many findings there are, by site and severity: of all, however many."""
        ...

    def finding(self, finding: str, when: When) -> FindingRow | None:
        """Return one finding."""
        ...

    def events(self, ask: EventsAsked, *, after: int, limit: int) -> Sequence[EventView]:
        """Return events of the ledger in the order they were entered."""
        ...

    def event(self, key: str, *, scope: frozenset[str] | None) -> EventView | None:
        """Return one event of the ledger."""
        ...

    def ledger_page(self, ask: LedgerAsked, *, limit: int) -> Sequence[LedgerEntry]:
        """Return events of the ledger, what happened last first."""
        ...

    def log_index(self, subjects: Collection[str]) -> Mapping[str, int]:
        """Return where records about events stand in the log; without those that wait."""
        ...

    def log_entries(
        self, *, scope: frozenset[str] | None, after: int, limit: int
    ) -> Sequence[LogEntry]:
        """Return entries of the log in log order."""
        ...


class Reads(Protocol):
    """Where everything is read from."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open the database at this moment."""
        ...
