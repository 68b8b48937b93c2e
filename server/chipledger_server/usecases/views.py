"""What readers are shown: the structs of the read-only API.

Times are Unix milliseconds of the collector's clock, in members that end in ``_ms``. Every
member is always there, null where there is nothing to say.
"""

from typing import Annotated, Literal

import msgspec

Digest = Annotated[str, msgspec.Meta(min_length=43, max_length=43)]
Millis = Annotated[int, msgspec.Meta(ge=0)]
HostState = Literal["fresh", "silent", "never-seen", "retired"]


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what the API answers; every member is always there, null where there is none."""


class HostSummary(Answer, frozen=True, kw_only=True):
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
        chips_read: chips the driver reports.
        chips_signed: those of them that signed for themselves and whose signature still counts.
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
    chips_signed: int
    chips_uncounted: int


class HostKey(Answer, frozen=True, kw_only=True):
    """One enrolled key of a host; `ek_certificate` says what that of its TPM proved, if any."""

    kid: Digest
    tier: str
    enrolled_ms: Millis
    revoked_ms: Millis | None
    leaf: Digest
    ek_certificate: str | None = None


class Run(Answer, frozen=True, kw_only=True):
    """An unbroken run of fresh sightings of one inventory; `until_ms` of a running one moves on."""

    site: str
    host: str
    inventory: Digest
    since_ms: Millis
    until_ms: Millis
    running: bool


class ChainLink(Answer, frozen=True, kw_only=True):
    """One token of a host's chain.

    Attributes:
        seq: its number; a missing number is a report that never arrived.
        token: its identity.
        received_ms: when it arrived.
        freshness: challenged, epoch, or late (proves nothing about its own time).
        leaf: leaf hash of its log entry.
        log_index: its place in the log, null while the sequencer has not placed it.
    """

    seq: int
    token: Digest
    received_ms: Millis
    freshness: str
    leaf: Digest
    log_index: int | None


class View(Answer, frozen=True, kw_only=True):
    """How many GPUs one of the three views of a host lists."""

    view: Literal["nvml", "pci", "kernel-module"]
    gpus: int | None


class Device(Answer, frozen=True, kw_only=True):
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


class Statement(Answer, frozen=True, kw_only=True):
    """What one device signed, and what it shows; no fact stands for another.

    Attributes:
        place: position in the inventory that the host gives the device, null for none.
        device: ``gpu``, ``nvswitch``, ``board`` or ``unknown``, by its certificates.
        worth: ``none``, ``chip-signed``, ``chip-signed-firmware``, or ``witness`` for a switch.
        pdi: its id, by its factory certificate.
        die: its die, by its certificates.
        driver: driver version in the signed report.
        vbios: VBIOS version in the signed report.
        facts: each question and what became of it: pass, fail, not-checked, not-stated.
        reasons: why facts are not ``pass``.
        digest: SHA-256 of the statement's bytes.
        anchors: version of the list of root keys that was believed.
        simulated: roots of simulated devices were believed as well, as at test sites.
    """

    place: int | None
    device: str
    worth: str
    pdi: str | None
    die: str | None
    driver: str | None
    vbios: str | None
    facts: dict[str, str]
    reasons: tuple[str, ...]
    digest: Digest
    anchors: str
    simulated: bool


class EvidenceRound(Answer, frozen=True, kw_only=True):
    """One round of a host: its devices were asked to sign over a nonce of the collector.

    Attributes:
        at_ms: when the answer arrived.
        judged_ms: when it was judged, null before.
        token: the report that carried it.
        statements: what the devices signed.
        reasons: why devices did not, in the host's own words.
    """

    at_ms: Millis
    judged_ms: Millis | None
    token: Digest
    statements: tuple[Statement, ...]
    reasons: tuple[str, ...]


class HostDetail(Answer, frozen=True, kw_only=True):
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
    evidence: EvidenceRound | None
    runs: tuple[Run, ...]
    chain: tuple[ChainLink, ...]


class Alias(Answer, frozen=True, kw_only=True):
    """A name of a chip."""

    kind: str
    value: str
    first_ms: Millis


class Sighting(Answer, frozen=True, kw_only=True):
    """A run of fresh sightings of one chip in one place."""

    run: Run
    place: int
    reading: str
    bdf: str | None
    serial: str | None


class Dispute(Answer, frozen=True, kw_only=True):
    """A claim on a chip that does not count, because the chip is fresh on another host too."""

    host: str | None
    kept_host: str | None
    since_ms: Millis
    until_ms: Millis | None


class ChipSummary(Answer, frozen=True, kw_only=True):
    """One chip: its id and its names."""

    id: int
    first_ms: Millis
    aliases: tuple[Alias, ...]


class ChipDetail(Answer, frozen=True, kw_only=True):
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
    signed_ms: Millis | None
    statement: Statement | None


class EventView(Answer, frozen=True, kw_only=True):
    """One event of the ledger, as entered.

    Attributes:
        words: what it says, in one line.
        record: event, statements and time of entry, as they stand in the log.
    """

    pos: int
    id: Digest
    type: str
    site: str | None
    occurred_ms: Millis
    recorded_ms: Millis
    principal: str
    words: str
    record: msgspec.Raw


class StatementView(Answer, frozen=True, kw_only=True):
    """Who stands behind an event, and how that is known.

    Attributes:
        strength: party-key, passkey, session, document or attested; only the first is a signature.
        words: the same in words.
        principal: the account that entered it, or the thumbprint of the key that signed.
        signed: what the party signed, as a compact JWS; null where nobody signed.
    """

    role: str
    party: str | None
    strength: str
    words: str
    principal: str
    stated_ms: Millis
    signed: str | None


class EventDetail(EventView, frozen=True, kw_only=True):
    """One event of the ledger, with all who stand behind it by then.

    Attributes:
        statements: those it was entered with, and those who spoke later.
        log_index: where its record stands in the log; null until the sequencer has placed it.
    """

    statements: tuple[StatementView, ...]
    log_index: int | None


class PartyKeyView(Answer, frozen=True, kw_only=True):
    """A key of a party, and what has become of it.

    Attributes:
        id: names the proposal.
        jwk: the public key, canonical JSON.
        roles: as what it signs.
        scope: ``*``, or the sites it speaks of.
        state: waits, expired, declined, valid, not valid now, replaced or revoked.
        replaces: the key that ended when this one was let in.
        ended_ms: when another took its place.
    """

    id: str
    kid: Digest
    alg: str
    jwk: str
    party: str
    name: str
    roles: tuple[str, ...]
    scope: str
    state: str
    valid_from_ms: Millis
    valid_to_ms: Millis | None
    replaces: Digest | None
    reason: str
    proposed_ms: Millis
    proposed_by: str
    decided_ms: Millis | None
    decided_by: str | None
    approved: bool | None
    ended_ms: Millis | None
    revoked_ms: Millis | None
    revoked_by: str | None


class PartyKeysPage(Answer, frozen=True, kw_only=True):
    """Keys of parties, the newest first."""

    items: tuple[PartyKeyView, ...]


class LogEntry(Answer, frozen=True, kw_only=True):
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


class Page(Answer, frozen=True, kw_only=True):
    """One page of a collection, in an order that inserts do not change.

    Attributes:
        next: pass on as `cursor` for what follows; null at the end.
        as_of_ms: what was true at; the same for every page of one walk.
        known_at_ms: what was known at.
    """

    next: str | None
    as_of_ms: Millis
    known_at_ms: Millis


class HostsPage(Page, frozen=True, kw_only=True):
    """Hosts, by id."""

    items: tuple[HostSummary, ...]


class ChainPage(Page, frozen=True, kw_only=True):
    """Tokens of one host, newest number first."""

    items: tuple[ChainLink, ...]


class ChipsPage(Page, frozen=True, kw_only=True):
    """Chips, in the order they were first seen."""

    items: tuple[ChipSummary, ...]


class SiteDevice(Answer, frozen=True, kw_only=True):
    """A device and the host that holds it."""

    host: str
    device: Device


class DevicesPage(Page, frozen=True, kw_only=True):
    """What the hosts of a site hold, by host and place."""

    items: tuple[SiteDevice, ...]


class EventsPage(Page, frozen=True, kw_only=True):
    """Events of the ledger, in the order they were entered."""

    items: tuple[EventView, ...]


class LogPage(Page, frozen=True, kw_only=True):
    """Entries of the log, in log order."""

    items: tuple[LogEntry, ...]


class AppraisalRule(Answer, frozen=True, kw_only=True):
    """The policy that turns facts about a chip into its grade.

    Attributes:
        source: why it is so.
        round_s: seconds between two rounds of evidence that a host is asked for.
        lifetime_s: age up to which a chip's own statement counts, the end included.
        device_class: the class that its certificate must name.
        must_pass: facts that must have been checked and hold.
        must_not_fail: facts that may be unknown, but not wrong.
    """

    id: str
    version: str
    digest: Digest
    source: str
    valid_from: str
    valid_to: str | None
    round_s: int
    lifetime_s: int
    device_class: str
    must_pass: tuple[str, ...]
    must_not_fail: tuple[str, ...]


class Me(Answer, frozen=True, kw_only=True):
    """The principal behind the token that was sent."""

    name: str
    role: str
    scope: str
    expires_ms: Millis | None
