"""What finds events of the ledger besides their id and site; derived, filled where it lags."""

from sqlalchemy import BigInteger, Column, Integer, Table

from chipledger_server.adapters.schema.core import metadata

ledger_marks = Table(
    "ledger_marks",  # a thing, a licence or an event → the events that put it there or name it
    metadata,
    # First eight bytes of the mark's SHA-256. That two marks share them is no harm: what is
    # found is read and compared.
    Column("mark", BigInteger, primary_key=True),
    Column("event", BigInteger, primary_key=True),  # ledger_events.pos
    sqlite_with_rowid=False,
)

ledger_marked = Table(
    "ledger_marked",  # one row: up to which event the marks are written
    metadata,
    Column("id", Integer, primary_key=True),
    Column("pos", BigInteger, nullable=False),
)
