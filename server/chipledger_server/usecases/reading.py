"""What readers are shown: the structs of the read-only API, and the port they come from.

Times are Unix milliseconds of the collector's clock, in members that end in ``_ms``. Every
answer says which time it speaks of (`as_of_ms`) and up to when it knew (`known_at_ms`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

import msgspec
from chipledger_book.events import LedgerRecord

from chipledger_server.usecases.physical import Claim, Rival

Digest = Annotated[str, msgspec.Meta(min_length=43, max_length=43)]
Millis = Annotated[int, msgspec.Meta(ge=0)]


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what the API answers; every member is always there, null where there is none."""


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


HostState = Literal["fresh", "silent", "never-seen"]


class HostSummary(Answer):
    """One host.

    Attributes:
        id: host id.
        site: site it was enrolled for.
        hardware: machine vendor and product, self-reported.
        provider: who answers for NVML; anything but ``nvml`` is simulated.
        key_tier: what holds its newest key.
        enrolled_ms: when it was enrolled.
        state: ``fresh`` within the silence limit, ``silent`` beyond it.
        last_fresh_ms: newest report that proved to be fresh, or null.
        chips_read: chips the driver reports, self-reported (G1).
        chips_uncounted: devices that are unconfirmed, unidentified, lost or not physical.
    """

    id: str
    site: str
    hardware: str | None
    provider: str
    key_tier: str
    enrolled_ms: Millis
    state: HostState
    last_fresh_ms: Millis | None
    chips_read: int
    chips_uncounted: int


class HostKey(Answer):
    """One enrolled key of a host."""

    kid: Digest
    tier: str
    enrolled_ms: Millis
    revoked_ms: Millis | None
    leaf: Digest


class Run(Answer):
    """An unbroken run of fresh sightings of one inventory; `until_ms` of a running one moves on."""

    site: str
    host: str
    inventory: Digest
    since_ms: Millis
    until_ms: Millis
    running: bool


class ChainLink(Answer):
    """One token of a host's chain.

    Attributes:
        seq: its number; a missing number is a report that never arrived.
        token: its identity.
        received_ms: when it arrived.
        freshness: challenged, epoch, or late (proves nothing about its own time).
        profile: full inventory or heartbeat.
        resumed: the host had lost its state and continued from the collector's.
        leaf: leaf hash of its log entry.
        log_index: its place in the log, null while the sequencer has not placed it.
    """

    seq: int
    token: Digest
    received_ms: Millis
    freshness: str
    profile: Literal["full", "heartbeat"]
    resumed: bool
    leaf: Digest
    log_index: int | None


class View(Answer):
    """How many GPUs one of the three views of a host lists."""

    view: Literal["nvml", "pci", "kernel-module"]
    gpus: int | None


class Device(Answer):
    """One device of a host's newest inventory.

    Attributes:
        place: position in the inventory.
        chip: the collector's id, null where it is not identified.
        reading: read, lost, unconfirmed, unidentified or not-physical.
        standing: what it counts as: present, silent, disputed, moved or uncounted.
        grade: how it is known.
        sku: model, null where the catalogue does not know it.
    """

    place: int
    chip: int | None
    reading: str
    standing: str
    grade: str
    sku: str | None
    name: str | None
    uuid: str | None
    pdi: str | None
    serial: str | None
    bdf: str | None


class HostDetail(Answer):
    """One host with its chain, its keys and what it holds."""

    host: HostSummary
    seq: int
    head: Digest | None
    missing: tuple[tuple[int, int], ...]
    scan_status: str | None
    driver: str | None
    kernel_module: str | None
    nvml_library: str | None
    inventory: Digest | None
    keys: tuple[HostKey, ...]
    views: tuple[View, ...]
    devices: tuple[Device, ...]
    runs: tuple[Run, ...]
    chain: tuple[ChainLink, ...]


class Alias(Answer):
    """A name of a chip."""

    kind: str
    value: str
    first_ms: Millis


class Sighting(Answer):
    """A run of fresh sightings of one chip in one place."""

    run: Run
    place: int
    reading: str
    bdf: str | None
    serial: str | None


class Dispute(Answer):
    """A claim on a chip that does not count, because the chip is fresh on another host too."""

    host: str | None
    kept_host: str | None
    since_ms: Millis
    until_ms: Millis | None


class ChipSummary(Answer):
    """One chip: its id and its names."""

    id: int
    first_ms: Millis
    aliases: tuple[Alias, ...]


class ChipDetail(Answer):
    """One chip: its names, its model, where it was seen, and who else claimed it."""

    chip: ChipSummary
    sku: str | None
    name: str | None
    tpp: int | None
    standing: str
    grade: str
    site: str | None
    host: str | None
    sightings: tuple[Sighting, ...]
    disputes: tuple[Dispute, ...]


class FindingView(Answer):
    """One finding.

    Attributes:
        words: what was seen, in a sentence.
        innocent: explanations that need no bad intent.
        times: how often it was seen.
        detail: what was seen, as recorded.
    """

    id: str
    type: str
    severity: str
    state: str
    site: str | None
    host: str | None
    chip: int | None
    opened_ms: Millis
    seen_ms: Millis
    resolved_ms: Millis | None
    times: int
    words: str
    innocent: tuple[str, ...]
    detail: msgspec.Raw


class EventView(Answer):
    """One event of the ledger, as entered.

    Attributes:
        record: event, statements and time of entry, as they stand in the log.
    """

    pos: int
    id: Digest
    type: str
    site: str | None
    occurred_ms: Millis
    recorded_ms: Millis
    principal: str
    record: msgspec.Raw


class LogEntry(Answer):
    """One entry of the log.

    Attributes:
        index: its place.
        leaf: RFC 6962 leaf hash of `entry`.
        entry: the entry's canonical bytes, as text.
        record: the record behind it, as text; null for those not entitled to it.
        salt: base64url of the 16 octets hashed before the record; null as `record`.
    """

    index: int
    leaf: Digest
    type: str
    time_ms: Millis
    entry: str
    record: str | None
    salt: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """Everything a balance of one site stands on, read in one snapshot.

    Attributes:
        records: events of the site, of its licences, and of all sites of its ultimate parents.
        claims: newest inventory of each host, device by device.
        rivals: other sightings of the same chips.
        disputed: chip and host of claims that do not count.
        downtime: when the collector was not accepting.
        hosts: number of hosts enrolled.
    """

    records: Sequence[LedgerRecord]
    claims: Sequence[Claim]
    rivals: Sequence[Rival]
    disputed: frozenset[tuple[int, str]]
    downtime: Sequence[tuple[int, int]]
    hosts: int


class SiteSource(Protocol):
    """Where the balance of a site is read from."""

    def site_facts(self, site: str, when: When) -> SiteFacts:
        """Return what the balance of a site stands on.

        The cost depends on the site, its parents' deliveries and its licences, never on the fleet.
        """
        ...
