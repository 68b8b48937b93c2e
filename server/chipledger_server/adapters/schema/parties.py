"""Keys of parties, and what was stated of events after they were entered."""

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, Table, Text

from chipledger_server.adapters.schema.core import Position, metadata

party_keys = Table(
    "party_keys",  # never overwritten: a row is proposed, decided, and ends
    metadata,
    Column("id", Text, primary_key=True),
    Column("kid", Text, nullable=False),
    Column("jwk", LargeBinary, nullable=False),  # canonical JSON
    Column("party", Text, nullable=False),
    Column("name", Text, nullable=False),  # what people call the party
    Column("roles", Text, nullable=False),  # separated by commas
    Column("scope", Text, nullable=False),  # * | site:a,site:b
    Column("valid_from_ms", BigInteger, nullable=False),
    Column("valid_to_ms", BigInteger),
    Column("replaces", Text),  # kid of the key that it follows
    Column("reason", Text, nullable=False),
    Column("proposed_ms", BigInteger, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("decided_ms", BigInteger),
    Column("decided_by", Text),
    Column("approved", Boolean),
    Column("ended_ms", BigInteger),  # when the key that follows was approved
    Column("revoked_ms", BigInteger),
    Column("revoked_by", Text),
    Index("ix_party_keys_kid", "kid"),
)

ledger_statements = Table(
    "ledger_statements",  # those who stand behind an event besides those it was entered with
    metadata,
    Column("pos", Position, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),  # digest of its record in the log
    Column("event", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("party", Text),
    Column("strength", Text, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    Column("principal", Text, nullable=False),  # who handed it in
    Column("body", LargeBinary, nullable=False),  # the statement's canonical bytes
    Index("ix_ledger_statements_event", "event"),
)
