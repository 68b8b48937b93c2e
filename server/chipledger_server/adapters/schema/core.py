"""Hosts, their reports, what is known of chips, and the log."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts rows of this type by itself; BIGINT would not be the rowid.
Position = BigInteger().with_variant(Integer(), "sqlite")

collector = Table(
    "collector",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1: one collector service a database
    Column("name", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

principals = Table(
    "principals",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),  # administrator | auditor | operator
    Column("scope", Text, nullable=False),  # "*" or "site:<id>[,site:<id>…]"
    Column("token_hash", LargeBinary, nullable=False, unique=True),  # SHA-256, tokens are random
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
)

ledger_events = Table(
    "ledger_events",
    metadata,
    Column("pos", Position, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),  # digest of the canonical body
    Column("type", Text, nullable=False),
    Column("site", Text),
    Column("parent", Text),  # ultimate parent of a declared site
    Column("consignee", Text),  # of a declared site, of a licence
    Column("occurred_ms", BigInteger, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    Column("principal", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),  # canonical bytes, as digested
    Index("ix_ledger_events_site", "site", "recorded_ms"),
    Index("ix_ledger_events_parent", "parent"),
    Index("ix_ledger_events_consignee", "consignee"),
)

sites = Table(
    "sites",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("test_site", Boolean, nullable=False),
    Column("event", Text, nullable=False),  # ledger event that declared its present form
)

enrolment_codes = Table(
    "enrolment_codes",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True),
    Column("site", Text, ForeignKey("sites.id"), nullable=False),
    Column("uses_left", Integer, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("serials", LargeBinary),  # canonical JSON list, when tied to serials
    Column("created_ms", BigInteger, nullable=False),
    Column("principal", Text, nullable=False),
    Column("host", Text),  # the host whose key it replaces; null: it makes new hosts
)

hosts = Table(
    "hosts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("num", BigInteger, nullable=False, unique=True),  # short name inside this database
    Column("site", Text, ForeignKey("sites.id"), nullable=False),
    Column("ueid", Text, nullable=False),
    Column("hardware", Text),
    Column("provider", Text, nullable=False),
    Column("enrolled_ms", BigInteger, nullable=False),
    Column("code_hash", LargeBinary, nullable=False),
    # state, written by the sequencer alone
    Column("first_site", Text),  # where it was enrolled, once it has moved from there
    Column("retired_ms", BigInteger),
    Column("quoted", LargeBinary),  # canonical JSON of what its TPM said newest of its clock
    Column("seq", BigInteger, nullable=False, server_default="0"),
    Column("token", LargeBinary),  # identity of the newest token of the chain
    Column("received_ms", BigInteger),  # newest arrival of any token
    Column("fresh_ms", BigInteger),  # newest arrival of a challenged or epoch token
    Column("fresh_seq", BigInteger, nullable=False, server_default="0"),  # its place in the chain
    Column("inventory", LargeBinary),  # digest that the newest fresh token named
    Column("missing", LargeBinary),  # canonical JSON of [first, last] seq ranges not yet seen
    Column("silent_since_ms", BigInteger),  # set while the host is silent
    Column("models", Text),  # edition of the catalogue that its models were named by
    Index("ix_hosts_site", "site"),
    Index("ix_hosts_ueid", "ueid"),
)

host_keys = Table(
    "host_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("num", BigInteger, nullable=False, unique=True),  # short name inside this database
    Column("host", Text, ForeignKey("hosts.id"), nullable=False),
    Column("jwk", LargeBinary, nullable=False),
    Column("tier", Text, nullable=False),
    Column("code_hash", LargeBinary, nullable=False),
    Column("enrolled_ms", BigInteger, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("revoked_ms", BigInteger),
    Column("ek", LargeBinary),  # SHA-256 of the SPKI of the endorsement key, of a key in a TPM
    Column("ak", LargeBinary),  # TPMT_PUBLIC of the attestation key beside it
    Column("ek_standing", Text),  # what the EK certificate proved
    Index("ix_host_keys_host", "host"),
    Index("ix_host_keys_ek", "ek"),
)

attempts = Table(
    "attempts",  # enrolments with a TPM between their two steps; dropped when their time is over
    metadata,
    Column("session", LargeBinary, primary_key=True),
    Column("kid", Text, nullable=False, unique=True),
    Column("request", LargeBinary, nullable=False),
    Column("secret", LargeBinary),  # null once answered
    Column("blob", LargeBinary, nullable=False),
    Column("seed", LargeBinary, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Index("ix_attempts_expires_ms", "expires_ms"),
)

proposals = Table(
    "proposals",  # what one person wants of a host and another must agree to
    metadata,
    Column("id", Text, primary_key=True),
    Column("action", Text, nullable=False),  # retire | replace | move
    Column("host", Text, ForeignKey("hosts.id"), nullable=False),
    Column("site", Text),  # where it moves to
    Column("reason", Text, nullable=False),
    Column("proposed_ms", BigInteger, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("decided_ms", BigInteger),
    Column("decided_by", Text),
    Column("approved", Boolean),
    Index("ix_proposals_host", "host"),
)

tokens = Table(
    "tokens",
    metadata,
    # Given out by the one writer, without holes: a range of positions is a range of tokens.
    Column("pos", Position, primary_key=True, autoincrement=False),
    Column("host", BigInteger, nullable=False),  # hosts.num
    Column("seq", BigInteger, nullable=False),
    Column("id", LargeBinary, nullable=False),  # SHA-256 of the signing input
    Column("key", BigInteger, nullable=False),  # host_keys.num; gives the header's exact bytes
    Column("received_ms", BigInteger, nullable=False),
    Column("freshness", Text, nullable=False),
    Column("form", Integer, nullable=False),  # how `payload` is packed: adapters/packing.py
    Column("base", BigInteger),  # pos of the token whose payload this one is packed against
    Column("payload", LargeBinary, nullable=False),  # the exact bytes received, packed
    Column("signature", LargeBinary, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("nonce", LargeBinary),  # the challenge it used up, if it echoes one
    # Host and seq stand inside the token, so this makes `id` unique; and it is the chain's index.
    UniqueConstraint("host", "seq", "id"),
)
Index(
    "uq_tokens_nonce",
    tokens.c.nonce,
    unique=True,
    sqlite_where=tokens.c.nonce.is_not(None),
    postgresql_where=tokens.c.nonce.is_not(None),
)

blobs = Table(
    "blobs",  # evidence bytes that travelled beside a token, by their SHA-256
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("token", BigInteger, nullable=False),  # first token that named it
    Column("body", LargeBinary, nullable=False),
)

records = Table(
    "records",  # what becomes a log entry and is not a token
    metadata,
    Column("pos", Position, primary_key=True, autoincrement=True),
    Column("type", Text, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("subject", Text, nullable=False),  # id of the event, finding, key or host it is about
    Column("principal", Text, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Index("ix_records_subject", "subject"),
)

log_runs = Table(
    "log_runs",  # log index of every token and record: entry first + i is row pos + i of `source`
    metadata,
    Column("first", Position, primary_key=True, autoincrement=False),
    Column("source", Text, nullable=False),  # token | record
    Column("pos", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Index("ix_log_runs_pos", "source", "pos"),
)

evidence_due = Table(
    "evidence_due",  # tokens whose evidence waits to be verified, written with the token
    metadata,
    Column("token", BigInteger, primary_key=True, autoincrement=False),  # tokens.pos
)

rounds = Table(
    "rounds",  # the newest round of evidence of each host: its token, and why chips did not sign
    metadata,
    Column("host", Text, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("token", LargeBinary, nullable=False),  # identity
    Column("reasons", LargeBinary, nullable=False),  # canonical JSON of the claim `no_evidence`
)

signatures = Table(
    "signatures",  # unbroken runs of a chip's own signatures on one host, none too old
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("chip", BigInteger, ForeignKey("chips.id"), nullable=False),
    Column("host", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),  # arrival of the first
    Column("until_ms", BigInteger, nullable=False),  # arrival of the newest
    Column("token", LargeBinary, nullable=False),  # identity of the token that named the newest
    Index("ix_signatures_chip", "chip", "host", "since_ms"),
    Index("ix_signatures_host", "host", "until_ms"),
)

device_keys = Table(
    "device_keys",  # the factory key a chip first signed with, for each of its roots of trust
    metadata,
    Column("chip", BigInteger, ForeignKey("chips.id"), primary_key=True),
    Column("rot", Text, primary_key=True),  # gsp | fsp
    Column("key", LargeBinary, nullable=False),  # SHA-256 of the L4 certificate's public key
    Column("first_ms", BigInteger, nullable=False),
)

inventories = Table(
    "inventories",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("token", BigInteger, nullable=False, index=True),  # pos of the first that carried it
    Column("provider", Text, nullable=False),  # who answered for NVML, as the statement says
    Column("body", LargeBinary, nullable=False),  # zlib of the canonical inventory
)

chips = Table(
    "chips",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("first_ms", BigInteger, nullable=False),
    Column("first_host", Text, nullable=False),
)

chip_aliases = Table(
    "chip_aliases",
    metadata,
    Column("kind", Text, primary_key=True),  # pdi | uuid
    Column("value", Text, primary_key=True),
    Column("chip", BigInteger, ForeignKey("chips.id"), nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Index("ix_chip_aliases_chip", "chip"),
)

inventory_chips = Table(
    "inventory_chips",  # the chips of an inventory, resolved to ids, with what names the model
    metadata,
    Column("inventory", LargeBinary, primary_key=True),
    Column("index", Integer, primary_key=True),  # position in Inventory.chips; PCI-only after them
    Column("chip", BigInteger),  # null: present, unidentified
    Column("state", Text, nullable=False),  # read | lost | unidentified | not-physical
    Column("uuid", Text),
    Column("pdi", Text),
    Column("serial", Text),
    Column("board_part", Text),
    Column("name", Text),
    Column("device", Text),
    Column("subsystem", Text),
    Column("bdf", Text),
    Index("ix_inventory_chips_chip", "chip"),
    Index("ix_inventory_chips_serial", "serial"),
)

presence = Table(
    "presence",  # unbroken runs of fresh sightings of one inventory on one host
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("host", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("inventory", LargeBinary, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger),  # null: the running one, whose end is hosts.fresh_ms
    Column("held", LargeBinary),  # where the scan failed: the inventory whose chips it holds still
    Index("ix_presence_site", "site", "since_ms"),
    Index("ix_presence_host", "host", "since_ms"),
    Index("ix_presence_inventory", "inventory", "until_ms"),
)

claims = Table(
    "claims",  # which hosts say now that they hold a chip; a chip on two of them is watched
    metadata,
    Column("chip", BigInteger, primary_key=True),
    Column("host", Text, primary_key=True),
    Column("since_ms", BigInteger, nullable=False),
    Index("ix_claims_host", "host"),
)

disputes = Table(
    "disputes",  # a chip fresh on two hosts: `host` is the claim that does not count
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("chip", BigInteger, ForeignKey("chips.id"), nullable=False),
    Column("host", Text, nullable=False),
    Column("kept_host", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger),
    Index("ix_disputes_chip", "chip"),
    Index("ix_disputes_host", "host"),
)

odometers = Table(
    "odometers",  # counters of a chip that only grow, as last read before it left or was not read
    metadata,
    Column("chip", BigInteger, ForeignKey("chips.id"), primary_key=True),
    Column("host", Text, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("ecc_corrected", BigInteger),
    Column("ecc_uncorrected", BigInteger),
    Column("rows_corrected", BigInteger),
    Column("rows_uncorrected", BigInteger),
    Column("bbx_seconds", BigInteger),
)

slots = Table(
    "slots",  # the chip last seen at a PCI address of a host
    metadata,
    Column("host", Text, primary_key=True),
    Column("bdf", Text, primary_key=True),
    Column("chip", BigInteger, ForeignKey("chips.id"), nullable=False),
)

builds = Table(
    "builds",  # how many hosts have shown which NVML library for a driver version and model
    metadata,
    Column("driver", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("hosts", BigInteger, nullable=False),
)

build_hosts = Table(
    "build_hosts",  # which ones
    metadata,
    Column("driver", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("host", Text, primary_key=True),
)

findings = Table(
    "findings",
    metadata,
    Column("id", Text, primary_key=True),  # f-<digest of key>: one finding a fact
    Column("type", Text, nullable=False),
    Column("severity", Text, nullable=False),  # low | medium | high | critical
    Column("state", Text, nullable=False),  # of the fact: open | resolved
    Column("site", Text),
    Column("host", Text),
    Column("chip", BigInteger),
    Column("opened_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("resolved_ms", BigInteger),
    Column("times", Integer, nullable=False),
    Column("detail", LargeBinary, nullable=False),  # canonical JSON, what was seen
    Column("subject", Text),  # host, site, event or ultimate parent
    Column("extent", Integer, nullable=False, server_default="1"),  # most it ever listed or counted
    Index("ix_findings_site", "site", "state"),
    Index("ix_findings_host", "host", "state"),
)

refusals = Table(
    # Reports that were refused after their key was known, bounded by host limits; and those that
    # a host signed it had put aside, without a kid.
    "refusals",
    metadata,
    Column("pos", Position, primary_key=True, autoincrement=True),
    Column("host", Text),
    Column("kid", Text, nullable=False),
    Column("token", LargeBinary, nullable=False),
    Column("code", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Index("ix_refusals_token", "token"),
)

timers = Table(
    "timers",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("due_ms", BigInteger, nullable=False),
    Index("ix_timers_due", "due_ms"),
)

downtime = Table(
    "downtime",  # when the collector itself was not accepting; silence timers leave it out
    metadata,
    Column("from_ms", BigInteger, primary_key=True),
    Column("to_ms", BigInteger, nullable=False),
)

sequencer = Table(
    "sequencer",  # one row: who applies accepted tokens, up to where, alive until when
    metadata,
    Column("id", Integer, primary_key=True),
    Column("holder", Text),
    Column("fence", BigInteger, nullable=False),
    Column("lease_until_ms", BigInteger, nullable=False),
    Column("token_pos", BigInteger, nullable=False),
    Column("record_pos", BigInteger, nullable=False),
    Column("refusal_pos", BigInteger, nullable=False),
    Column("pulse_ms", BigInteger, nullable=False),  # time of the newest log entry
    Column("log_size", BigInteger, nullable=False),
    Column("beat_ms", BigInteger, nullable=False),  # last time this collector service was alive
)
