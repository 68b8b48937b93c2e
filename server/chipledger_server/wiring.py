"""The composition root: the only place that names concrete adapters."""

from sqlalchemy import insert

from chipledger_evidence.nonce import MIN_KEY_BYTES
from chipledger_server.adapters import schema
from chipledger_server.adapters.clock import SystemClock
from chipledger_server.adapters.database import for_writing, migrate, open_engine
from chipledger_server.adapters.entropy import system_entropy
from chipledger_server.adapters.files import write_secret
from chipledger_server.adapters.people import SqlPeople
from chipledger_server.config import Config
from chipledger_server.domain.codes import Code, ServerError
from chipledger_server.usecases.access import Role
from chipledger_server.usecases.people import Hand, NewPrincipal, add_principal


def initialise(config: Config, *, administrator: str) -> str:
    """Make the database, the nonce key and the first administrator; return its token.

    Raises:
        ServerError: `already-initialised`; nothing that exists is ever overwritten.
    """
    path, key_file = config.database.path, config.secrets.nonce_key_file
    for there in (path, key_file):
        if there.exists():
            raise ServerError(
                Code.ALREADY_INITIALISED,
                f"{there} exists",
                hint="init makes a new collector; to start the present one: chipledger-server run",
            )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    clock = SystemClock()
    now_ms = clock.now_ms()
    write_secret(path, b"")
    engine = for_writing(open_engine(path))
    try:
        migrate(engine)
        with engine.begin() as connection:
            connection.execute(
                insert(schema.collector).values(id=1, name=config.collector.name, created_ms=now_ms)
            )
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
        hand = Hand(principal="init", now_ms=now_ms, entropy=system_entropy)
        new = NewPrincipal(name=administrator, role=Role.ADMINISTRATOR, sites=None)
        issued = add_principal(new, SqlPeople(engine), hand)
    finally:
        engine.dispose()
    write_secret(key_file, system_entropy(MIN_KEY_BYTES))
    return issued.token
