"""Findings as cases: what each was from one step to the next, so that every time can be asked."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text

from chipledger_server.adapters.schema.core import metadata

cases = Table(
    "cases",  # derived from the log: one row a step, until the next one
    metadata,
    Column("finding", Text, primary_key=True),
    Column("since_ms", BigInteger, primary_key=True),
    Column("until_ms", BigInteger),  # null: the newest
    Column("state", Text, nullable=False),  # as the step left it; `expires_ms` may have ended it
    Column("severity", Text, nullable=False),  # low | medium | high | critical
    Column("owner", Text),
    Column("round_ms", BigInteger, nullable=False),  # since when the operator owes an answer
    Column("moved_ms", BigInteger, nullable=False),  # since when in its state, or for a ruling
    Column("expires_ms", BigInteger),  # when time alone makes it open again
    Column("body", LargeBinary, nullable=False),  # canonical JSON of the case
)
Index("ix_cases_expires_ms", cases.c.expires_ms, sqlite_where=cases.c.until_ms.is_(None))
Index("ix_cases_state", cases.c.state, sqlite_where=cases.c.until_ms.is_(None))
