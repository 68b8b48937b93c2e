"""What the collector records of chips by itself, and where it has them."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, Text

from chipledger_server.adapters.schema.core import Position, metadata

attested_events = Table(
    "attested_events",  # ledger events that nobody entered; their bytes stand in the log's records
    metadata,
    Column("pos", Position, primary_key=True, autoincrement=False),  # records.pos
    Column("id", Text, nullable=False, unique=True),  # digest of the canonical event
    Column("type", Text, nullable=False),  # installed | moved
    Column("site", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),  # when it happened and was recorded
    Index("ix_attested_events_site", "site", "type", "at_ms"),
    Index("ix_attested_events_host", "host", "at_ms"),
)

places = Table(
    "places",  # where a chip was recorded last: the host whose claim to it counted
    metadata,
    Column("chip", BigInteger, ForeignKey("chips.id"), primary_key=True),
    Column("site", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("left_ms", BigInteger),  # when it was last seen there, once no host claims it
)
