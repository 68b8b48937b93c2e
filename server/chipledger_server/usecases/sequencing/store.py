"""What the fold needs of a store: one transaction's view of state, changed as it is asked."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from chipledger_book.cases import Case, Step
from chipledger_book.terms import Severity
from chipledger_evidence.claims import Refused
from chipledger_evidence.inventory import Inventory
from chipledger_server.domain.chain import Link, Neighbours
from chipledger_server.domain.crosscheck import Line, Listed
from chipledger_server.domain.duplicates import Claim
from chipledger_server.domain.findings import About, Detail, FindingRecord, Kind
from chipledger_server.domain.hosts import HostState
from chipledger_server.domain.identity import AliasKind


class CaseBook(Protocol):
    """Cases, as the steps of the log have left them."""

    def newest(self, finding: str) -> Case | None:
        """Return a case as its newest step left it."""
        ...

    def take(self, step: Step) -> Case:
        """Take a step and return the case after it."""
        ...

    def due(self, now_ms: int, most: int) -> Sequence[str]:
        """Return cases whose explanation or acceptance has ended, the longest ended first."""
        ...


class SequenceStore(Protocol):
    """State of hosts, chips, claims, findings and timers."""

    def host(self, num: int) -> HostState:
        """Return the one state object of a host, by number."""
        ...

    def host_named(self, host: str) -> HostState:
        """Return the one state object of a host, by id."""
        ...

    def same_ueid(self, host: HostState) -> HostState | None:
        """Return the newest host that was enrolled before with the same EAT identity."""
        ...

    def neighbours(self, host: int, link: Link, pos: int) -> Neighbours:
        """Return what tokens before position `pos` say around a link."""
        ...

    def inventory(self, digest: str, pos: int) -> Inventory | None:
        """Return an inventory that came with a token at or before `pos`."""
        ...

    def begin_run(self, host: HostState, digest: str, at_ms: int) -> int:
        """Begin a run of fresh sightings, of a host that holds `host.held`; return its id."""
        ...

    def end_run(self, run: int, at_ms: int) -> None:
        """End a run where it was last seen."""
        ...

    def lines(self, digest: str) -> Listed | None:
        """Return the chips of an inventory whose lines are resolved, else None."""
        ...

    def put_lines(self, digest: str, lines: Sequence[tuple[Line, int | None]]) -> None:
        """Keep the resolved lines of an inventory."""
        ...

    def line_of(self, chip: int, host: str) -> Line:
        """Return the newest line of a host that names a chip."""
        ...

    def aliases(
        self, names: Sequence[tuple[AliasKind, str]]
    ) -> Mapping[tuple[str, str | None], int]:
        """Return the chips that these aliases name, as far as they do."""
        ...

    def aliases_of(self, chip: int, kind: AliasKind) -> frozenset[str]:
        """Return the aliases of one kind that name a chip."""
        ...

    def new_chip(self, at_ms: int, host: str) -> int:
        """Return a new chip's id."""
        ...

    def learn(self, kind: AliasKind, value: str, chip: int, at_ms: int) -> None:
        """Make an alias name a chip, unless it names one already."""
        ...

    def claim(self, chip: int, host: str, at_ms: int) -> None:
        """Begin a host's claim to a chip."""
        ...

    def unclaim(self, chip: int, host: str) -> None:
        """End a host's claim to a chip."""
        ...

    def claimants(self, chip: int, host: str) -> Iterable[HostState]:
        """Return the other hosts that claim a chip."""
        ...

    def claim_of(self, chip: int, host: str) -> Claim:
        """Return a host's claim to a chip."""
        ...

    def begin_dispute(self, chip: int, host: str, kept_host: str, since_ms: int) -> None:
        """Make a host's claim to a chip not count."""
        ...

    def disputed_for(self, chip: int, host: str) -> Sequence[str]:
        """Return the hosts whose claims to a chip count instead of this one's."""
        ...

    def turn_dispute(self, chip: int, host: str, rival: str, at_ms: int) -> None:
        """From now on let a host's claim count, and not the rival's that did before."""
        ...

    def end_disputes(self, chip: int, host: str, at_ms: int) -> None:
        """End the disputes over a chip that a host is part of."""
        ...

    def put_finding(self, key: str, about: About, at_ms: int, detail: bytes) -> None:
        """Open a finding."""
        ...

    def finding_detail(self, key: str) -> Detail | None:
        """Return what a finding saw, or None where there is no such finding."""
        ...

    def past_finding(self, about: About) -> str | None:
        """Return the finding of a fact that has ended and may return: same type, same subject."""
        ...

    def finding(self, key: str) -> About:
        """Return what a finding is about, with the severity it has now."""
        ...

    def touch_finding(
        self, key: str, at_ms: int, detail: bytes, *, severity: Severity | None = None
    ) -> int:
        """Note that an open finding was seen again; return by how much it exceeds what it was."""
        ...

    def close_finding(self, key: str, at_ms: int) -> tuple[About, Detail]:
        """Resolve a finding, and return what it was about."""
        ...

    def open_finding(self, kind: Kind, site: str) -> str | None:
        """Return an open finding of a site as a whole."""
        ...

    def put_models(self, host: HostState) -> None:
        """Keep by which edition of the catalogue the models of a host were named."""
        ...

    def put_refused(self, host: str, refused: Refused, at_ms: int) -> None:
        """Keep that a host signed that a report of it was put aside, unless that is known."""
        ...

    def record_finding(self, record: FindingRecord) -> None:
        """Append a finding's record to the log's queue, and take its case along."""
        ...

    def record_step(self, step: Step) -> None:
        """Append a step of a case that time made to the log's queue, and take it."""
        ...

    @property
    def cases(self) -> CaseBook:
        """The cases of findings."""
        ...

    def set_timer(self, host: str, due_ms: int) -> None:
        """Set when a host must be looked at."""
        ...

    def drop_timer(self, host: str) -> None:
        """Stop looking at a host until it returns."""
        ...

    def due(self, now_ms: int) -> Sequence[HostState]:
        """Return hosts whose timers are due, the longest due first; not all of very many."""
        ...

    def flush(self, states: Iterable[HostState]) -> None:
        """Write changed host states."""
        ...

    def silent_in(self, site: str) -> tuple[int, Sequence[int]]:
        """Return how many hosts a site has, and since when its silent ones are."""
        ...
