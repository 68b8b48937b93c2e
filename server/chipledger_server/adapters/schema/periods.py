"""Frozen documents of periods: kept for years, never changed, never deleted."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from chipledger_server.adapters.schema.core import Position, metadata

period_documents = Table(
    "period_documents",
    metadata,
    Column("pos", Position, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("site", Text, nullable=False),
    Column("first_day", Text, nullable=False),  # ISO 8601
    Column("last_day", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("restatement", Integer, nullable=False),
    Column("replaces", Text, nullable=True),
    Column("known_ms", BigInteger, nullable=False),
    Column("principal", Text, nullable=False),
    # Newest event of the ledger when it was made; what was entered later came late.
    Column("ledger_pos", BigInteger, nullable=False),
    Column("log_size", BigInteger, nullable=False),
    # Roots of the whole subtrees of the log then: the next head goes on from here.
    Column("log_edge", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),  # canonical bytes, zlib
    Index(
        "uq_period_documents_version",
        "site",
        "first_day",
        "last_day",
        "version",
        unique=True,
    ),
)
