"""New databases for tests: migrated once a process, and copied from then on."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine

from chipledger_server.adapters.database import migrate, open_engine


def new_database(path: Path) -> Engine:
    """Return an engine on a new database at `path`, of the present version and empty."""
    path.write_bytes(_migrated())
    return open_engine(path)


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "collector.sqlite"
        engine = open_engine(path)
        migrate(engine)
        engine.dispose()  # the last connection takes its write-ahead log into the file
        return path.read_bytes()
