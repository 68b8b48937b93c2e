"""The schema on disk is the schema in code."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from chipledger_server.adapters.database import check_version, for_writing, migrate, open_engine
from chipledger_server.adapters.schema import metadata
from chipledger_server.domain.codes import Code, ServerError


def test_the_migrations_lead_to_the_metadata(tmp_path: Path) -> None:
    """What the steps build is what the code expects, column by column."""
    engine = open_engine(tmp_path / "collector.sqlite")
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    check_version(engine)
    engine.dispose()


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    """A second upgrade finds nothing to do."""
    engine = open_engine(tmp_path / "collector.sqlite")
    migrate(engine)
    migrate(engine)
    check_version(engine)
    engine.dispose()


def test_a_database_without_tables_is_not_served(tmp_path: Path) -> None:
    """Starting creates nothing: that is `init`'s work."""
    engine = open_engine(tmp_path / "collector.sqlite")
    with pytest.raises(ServerError) as caught:
        check_version(engine)
    assert caught.value.code is Code.NOT_INITIALISED
    engine.dispose()


def test_a_database_of_a_later_version_is_not_touched(tmp_path: Path) -> None:
    """An older collector refuses what it cannot understand."""
    engine = open_engine(tmp_path / "collector.sqlite")
    migrate(engine)
    with for_writing(engine).begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ServerError) as caught:
        check_version(engine)
    assert caught.value.code is Code.DATABASE_TOO_NEW
    engine.dispose()


def test_a_commit_is_durable_before_it_is_answered(tmp_path: Path) -> None:
    """WAL with synchronous=FULL (2) on every connection, with foreign keys held."""
    engine = open_engine(tmp_path / "collector.sqlite")
    with engine.connect() as connection:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
    engine.dispose()
