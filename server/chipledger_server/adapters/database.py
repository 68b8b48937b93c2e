"""Opening the embedded database, and bringing it to the present schema.

SQLite in WAL mode with `synchronous=FULL`: a committed transaction survives a power cut.
Readers never wait for the writer. Whoever writes takes the write lock at once
(`BEGIN IMMEDIATE`), so no transaction fails half-way because another one came between.
"""

import sqlite3
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, insert
from sqlalchemy.exc import DBAPIError

from chipledger_server.adapters import schema
from chipledger_server.adapters.rows import STATEMENTS
from chipledger_server.domain.codes import Code, ServerError

MIGRATIONS: Final = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_MS: Final = 10_000
_WRITES: Final = "chipledger_writes"
PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
)


def open_engine(path: Path) -> Engine:
    """Return an engine for reading the database at `path`; it may be used from any thread."""
    engine = create_engine(URL.create("sqlite", database=str(path)))
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def for_writing(engine: Engine) -> Engine:
    """Return the same database with transactions that hold the write lock from their start."""
    return engine.execution_options(**{_WRITES: True})


FAULTS: Final = (sqlite3.Error, DBAPIError)
"""What is raised where a database cannot be used: not one, not permitted, full, locked."""

Reader = Engine
"""The database as it is read, for those who only hand it on."""

Writer = sqlite3.Connection
"""A bare connection, for those who only hand it on."""


def open_writer(path: Path) -> Writer:
    """Return a bare connection for the hand-written statements of the writer thread."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS
    )
    for pragma in PRAGMAS:
        connection.execute(pragma)
    return connection


def bare(connection: Connection) -> Writer:
    """Return the bare connection under one of SQLAlchemy, inside the same transaction."""
    under = connection.connection.driver_connection
    if not isinstance(under, sqlite3.Connection):
        raise TypeError(type(under))
    return under


def migrate(engine: Engine) -> None:
    """Bring the schema to the present version; does nothing when it already is."""
    with for_writing(engine).begin() as connection:
        command.upgrade(_alembic(connection), "head")


def make_collector(connection: Connection, *, name: str, now_ms: int) -> None:
    """Fill a new database with the rows that there is one of: the collector, its sequencer."""
    connection.execute(insert(schema.collector).values(id=1, name=name, created_ms=now_ms))
    connection.execute(
        insert(schema.sequencer).values(
            id=1,
            fence=0,
            lease_until_ms=0,
            token_pos=0,
            record_pos=0,
            refusal_pos=0,
            log_size=0,
            pulse_ms=now_ms,
            beat_ms=now_ms,
        )
    )


def check_version(engine: Engine) -> None:
    """Return only if the schema is the present one.

    Raises:
        ServerError: `not-initialised`, or `database-too-new` for one this version cannot know.
    """
    with engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    script = ScriptDirectory(str(MIGRATIONS))
    if present is None:
        raise ServerError(
            Code.NOT_INITIALISED,
            "the database holds no tables",
            hint="run `chipledger-server init` once",
        )
    if present != script.get_current_head():
        raise ServerError(
            Code.DATABASE_TOO_NEW,
            f"the database has schema {present}, this version knows {script.get_current_head()}",
            hint="install the version of chipledger that wrote it",
        )


def _alembic(connection: Connection) -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _prepare(connection: Any, _record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's hook
    connection.isolation_level = None  # transactions begin where we say so, below
    for pragma in PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
