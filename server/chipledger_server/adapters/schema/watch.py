"""What looking around found: who must act by when, and which findings stand for which facts."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text

from chipledger_server.adapters.schema.core import metadata

waits = Table(
    "waits",  # the timers of every step that waits for somebody, as the newest look left them
    metadata,
    Column("scope", Text, primary_key=True),  # site:ID | group:PARENT | unclaimed
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("site", Text),
    Column("event", Text),
    Column("chip", Text),
    Column("owner_role", Text, nullable=False),
    Column("owner", Text, nullable=False),  # empty: the ledger names nobody
    Column("since_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("done_ms", BigInteger),
    Column("pieces", BigInteger, nullable=False),
)
Index("ix_waits_due_ms", waits.c.due_ms, sqlite_where=waits.c.done_ms.is_(None))

facts = Table(
    "facts",  # open facts of the book, each with the finding that stands for it
    metadata,
    Column("scope", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("finding", Text, nullable=False),
    Column("said", LargeBinary, nullable=False),  # canonical JSON of what the finding says
)
Index("ix_facts_finding", facts.c.finding)

looks = Table(
    "looks",  # when a scope was last looked at
    metadata,
    Column("scope", Text, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
)
