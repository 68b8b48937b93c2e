"""Everything readers are shown, read from the database with SQLAlchemy Core.

One request reads from one snapshot: a deferred transaction, which in WAL mode never waits for
the writer and sees one state from its first statement to its last.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, select

from chipledger_book.events import LedgerRecord
from chipledger_book.physical import Stay
from chipledger_book.watch import Wait
from chipledger_evidence.gpu.result import EvidenceResult
from chipledger_evidence.inventory import Inventory
from chipledger_server.adapters import schema
from chipledger_server.adapters.reads import (
    attested,
    book,
    chips,
    evidence,
    findings,
    hosts,
    ledger,
    log,
    results,
    sharing,
    sightings,
    statements,
    stays,
    waits,
)
from chipledger_server.usecases.physical import Claim, Rival
from chipledger_server.usecases.reading import (
    ChipsAsked,
    EventsAsked,
    FindingRow,
    FindingsAsked,
    HostFacts,
    HostLife,
    HostsAsked,
    LedgerAsked,
    LedgerEntry,
    Position,
    Sightings,
    Touched,
    TrailRow,
    WaitsAsked,
    When,
)
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
)


class SqlReads:
    """The database as its readers see it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def snapshot(self) -> Iterator["SqlSnapshot"]:
        """Open the database at this moment."""
        with self._engine.begin() as connection:
            yield SqlSnapshot(connection)


class SqlSnapshot:
    """The database at one moment; see :class:`chipledger_server.usecases.reading.Snapshot`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all_records(self, when: When) -> Sequence[LedgerRecord]:
        """Return the whole ledger as known at a time."""
        return book.all_records(self._connection, when)

    def family_records(self, when: When, *, site: str) -> Sequence[LedgerRecord]:
        """Return the events that bear on one site."""
        return book.family_records(self._connection, when, site=site)

    def outline(self, when: When, *, site: str) -> Sequence[LedgerRecord]:
        """Return the declarations of a site's family, and its licences."""
        return sharing.outline(self._connection, when, site=site)

    def site_records(self, when: When, *, sites: Collection[str]) -> Sequence[LedgerRecord]:
        """Return the events of sites, and what others say of them."""
        return sharing.site_records(self._connection, when, sites=sites)

    def families(self) -> Sequence[Sequence[str]]:
        """Return all sites that were ever declared, in families."""
        return book.families(self._connection)

    def position(self, when: When) -> Position | None:
        """Return how far the database reaches, or None where it reaches beyond the question."""
        return sharing.position(self._connection, when)

    def touched(self, since: Position, until: Position) -> Touched:
        """Return what was written between two positions."""
        return sharing.touched(self._connection, since, until)

    def attested_records(
        self, when: When, *, site: str | None = None, kind: str | None = None
    ) -> Sequence[LedgerRecord]:
        """Return what the collector recorded by itself."""
        return attested.attested_records(self._connection, when, site=site, kind=kind)

    def claims(
        self, when: When, *, site: str | None = None, host: str | None = None
    ) -> Sequence[Claim]:
        """Return every device in the newest inventory of each host."""
        return sightings.claims(self._connection, when, site=site, host=host)

    def rivals(self, when: When, *, site: str) -> Sequence[Rival]:
        """Return other sightings of the chips that hosts of a site hold."""
        return sightings.rivals(self._connection, when, site=site)

    def disputed(self, when: When, *, site: str) -> frozenset[tuple[int, str]]:
        """Return chip and host of claims on those chips that do not count."""
        return sightings.disputed(self._connection, when, site=site)

    def stays(self, when: When, *, site: str, rule: StayRule) -> Sequence[Stay]:
        """Return the history of the chips that hosts of a site showed there."""
        return stays.stays(self._connection, when, site=site, rule=rule)

    def stays_of(self, when: When, names: Collection[str], *, rule: StayRule) -> Sequence[Stay]:
        """Return the history, at any site, of the chips that some names name."""
        return stays.stays_of(self._connection, when, names, rule=rule)

    def waits(self, ask: WaitsAsked, *, after: tuple[int, str, str], limit: int) -> Sequence[Wait]:
        """Return what waits for somebody, by due time, after (due, kind, key)."""
        return waits.waits(self._connection, ask, after=after, limit=limit)

    def count_overdue(self, ask: WaitsAsked) -> int:
        """Return how many of the waits asked for are overdue."""
        return waits.count_overdue(self._connection, ask)

    def looked_ms(self) -> int | None:
        """Return since when everything was looked at, or None before the first round."""
        return waits.looked_ms(self._connection)

    def looked_scopes(self) -> frozenset[str]:
        """Return every scope that was ever looked at."""
        return waits.looked_scopes(self._connection)

    def newest_round(self, host: str, when: When) -> EvidenceRound | None:
        """Return the newest round of device evidence of a host."""
        return evidence.newest_round(self._connection, host, when)

    def judged_rounds(self, host: str, when: When, *, since_ms: int) -> Sequence[EvidenceResult]:
        """Return the judged rounds of a host since a time, newest first."""
        return results.judged_rounds(self._connection, host, when, since_ms=since_ms)

    def ever_signed(self, chips: Collection[int], when: When) -> frozenset[int]:
        """Return which of these chips had signed anywhere."""
        return results.ever_signed(self._connection, chips, when)

    def host_life(self, host: str, when: When) -> HostLife:
        """Return whether a host that there is was retired, and whether its site is a test site."""
        return results.life(self._connection, host, when)

    def downtime(self, when: When) -> Sequence[tuple[int, int]]:
        """Return when the collector itself was not accepting."""
        return sightings.downtime(self._connection, when)

    def site_ids(self) -> Sequence[str]:
        """Return the ids of all sites, sorted."""
        sites = schema.sites.c
        return list(self._connection.execute(select(sites.id).order_by(sites.id)).scalars())

    def hosts(self, ask: HostsAsked, *, after: str, limit: int | None) -> Sequence[HostFacts]:
        """Return hosts in the order of their ids."""
        return hosts.hosts(self._connection, ask, after=after, limit=limit)

    def heard(self, when: When, *, site: str) -> Sequence[int | None]:
        """Return of each host of a site when it was last heard, or None: never."""
        return sightings.heard(self._connection, when, site=site)

    def keys(self, host: str, when: When) -> Sequence[HostKey]:
        """Return a host's keys, oldest first."""
        return hosts.keys(self._connection, host, when)

    def runs(self, host: str, when: When, *, limit: int) -> Sequence[Run]:
        """Return a host's runs, newest first."""
        return hosts.runs(self._connection, host, when, limit=limit)

    def chain(
        self, host: str, when: When, *, before: int | None, limit: int
    ) -> Sequence[ChainLink]:
        """Return a host's tokens, newest number first."""
        return log.chain(self._connection, host, when, before=before, limit=limit)

    def inventory(self, digest: bytes) -> Inventory | None:
        """Return an inventory by its digest."""
        return hosts.inventory(self._connection, digest)

    def chips(self, ask: ChipsAsked, *, after: int, limit: int) -> Sequence[ChipSummary]:
        """Return chips in the order of their ids."""
        return chips.chips(self._connection, ask, after=after, limit=limit)

    def sightings(
        self, chip: int, when: When, *, scope: frozenset[str] | None, limit: int
    ) -> Sightings:
        """Return where a chip was seen."""
        return chips.sightings(self._connection, chip, when, scope=scope, limit=limit)

    def names_seen(self, names: Collection[str], *, scope: frozenset[str] | None) -> frozenset[str]:
        """Return which PDIs and UUIDs hosts of these sites reported of a chip they name."""
        return chips.names_seen(self._connection, names, scope=scope)

    def disputes(self, chip: int, when: When, *, scope: frozenset[str] | None) -> Sequence[Dispute]:
        """Return the disputes over a chip."""
        return chips.disputes(self._connection, chip, when, scope=scope)

    def findings(
        self, ask: FindingsAsked, *, after: tuple[int, str] | None, limit: int
    ) -> Sequence[FindingRow]:
        """Return findings, newest first, after (opened, id)."""
        return findings.findings(self._connection, ask, after=after, limit=limit)

    def worst_findings(
        self, ask: FindingsAsked, *, limit: int, after: tuple[int, int, str] | None = None
    ) -> Sequence[FindingRow]:
        """Return findings, worst first and oldest first among equals, after (rank, opened, id)."""
        return findings.worst(self._connection, ask, limit=limit, after=after)

    def tally_findings(self, ask: FindingsAsked) -> Mapping[str, Mapping[str, int]]:
        """Return how many findings there are, by state of their cases and severity."""
        return findings.tally(self._connection, ask)

    def trail(self, finding: str, when: When) -> Sequence[TrailRow]:
        """Return the records of a finding, in the order of the log."""
        return log.trail(self._connection, finding, when)

    def count_findings(self, ask: FindingsAsked) -> Mapping[str | None, Mapping[str, int]]:
        """Return how many findings there are, by site and severity."""
        return findings.count(self._connection, ask)

    def finding(self, finding: str, when: When) -> FindingRow | None:
        """Return one finding."""
        return findings.finding(self._connection, finding, when)

    def events(self, ask: EventsAsked, *, after: int, limit: int) -> Sequence[EventView]:
        """Return events of the ledger in the order they were entered."""
        if ask.kind in attested.KINDS:
            return attested.events(self._connection, ask, after=after, limit=limit)
        return book.events(self._connection, ask, after=after, limit=limit)

    def event(self, key: str, *, scope: frozenset[str] | None) -> EventView | None:
        """Return one event of the ledger."""
        entered = book.event(self._connection, key, scope=scope)
        return entered or attested.event(self._connection, key, scope=scope)

    def ledger_page(self, ask: LedgerAsked, *, limit: int) -> Sequence[LedgerEntry]:
        """Return events of the ledger, what happened last first."""
        if ask.kind in attested.KINDS:
            return attested.ledger_page(self._connection, ask, limit=limit)
        found = ledger.ledger_page(self._connection, ask, limit=limit)
        if found or ask.key is None:
            return found
        return attested.ledger_page(self._connection, ask, limit=limit)

    def log_index(self, subjects: Collection[str]) -> Mapping[str, int]:
        """Return where records about events stand in the log; without those that wait."""
        return statements.log_index(self._connection, subjects)

    def log_entries(
        self, *, scope: frozenset[str] | None, after: int, limit: int
    ) -> Sequence[LogEntry]:
        """Return entries of the log in log order."""
        return log.entries(self._connection, scope=scope, after=after, limit=limit)
