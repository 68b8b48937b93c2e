"""Keys of parties in the database."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from chipledger_evidence.codec import decode_strict, encode_canonical
from chipledger_evidence.keys import Jwk, load_jwk
from chipledger_server.adapters import schema
from chipledger_server.adapters.database import for_writing
from chipledger_server.adapters.people import principal_named, put
from chipledger_server.usecases.access import Principal, parse_scope, scope_text
from chipledger_server.usecases.decisions import Draft
from chipledger_server.usecases.party_keys import PartyKey

_KEYS = schema.party_keys.c


class SqlPartyKeys:
    """The table `party_keys`; every step with its record in one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = for_writing(engine)

    def proposer(self, name: str) -> Principal | None:
        """Return a principal by name, a revoked one too."""
        with self._engine.connect() as connection:
            return principal_named(connection, name)

    def registered(self) -> Sequence[PartyKey]:
        """Return all keys ever proposed, the newest first."""
        order = select(schema.party_keys).order_by(_KEYS.proposed_ms.desc(), _KEYS.id)
        with self._engine.connect() as connection:
            return [_key(row) for row in connection.execute(order).mappings()]

    def propose(self, key: PartyKey, record: Draft) -> None:
        """Keep a proposed key."""
        with self._writer.begin() as connection:
            connection.execute(
                insert(schema.party_keys).values(
                    id=key.id,
                    kid=key.key.kid,
                    jwk=encode_canonical(key.key.jwk),
                    party=key.party,
                    name=key.name,
                    roles=",".join(sorted(key.roles)),
                    scope=scope_text(key.sites),
                    valid_from_ms=key.valid_from_ms,
                    valid_to_ms=key.valid_to_ms,
                    replaces=key.replaces,
                    reason=key.reason,
                    proposed_ms=key.proposed_ms,
                    proposed_by=key.proposed_by,
                )
            )
            put(connection, record)

    def decide(self, key: PartyKey, record: Draft, *, ends: str | None) -> bool:
        """Keep a decision, and end the key it replaces; False when another one came first."""
        with self._writer.begin() as connection:
            changed = connection.execute(
                update(schema.party_keys)
                .where(_KEYS.id == key.id, _KEYS.decided_ms.is_(None))
                .values(decided_ms=key.decided_ms, decided_by=key.decided_by, approved=key.approved)
            )
            if not changed.rowcount:
                return False
            if ends is not None:
                connection.execute(
                    update(schema.party_keys)
                    .where(_KEYS.kid == ends, _KEYS.approved, _KEYS.ended_ms.is_(None))
                    .values(ended_ms=key.decided_ms)
                )
            put(connection, record)
        return True

    def revoke(self, key: PartyKey, record: Draft) -> None:
        """Write down that a key is revoked."""
        with self._writer.begin() as connection:
            connection.execute(
                update(schema.party_keys)
                .where(_KEYS.id == key.id)
                .values(revoked_ms=key.revoked_ms, revoked_by=key.revoked_by)
            )
            put(connection, record)


def party_key(connection: Connection, kid: str) -> PartyKey | None:
    """Return the key of a party that was let in under a thumbprint."""
    query = select(schema.party_keys).where(_KEYS.kid == kid, _KEYS.approved)
    row = connection.execute(query).mappings().first()
    return None if row is None else _key(row)


def _key(row: Mapping[Any, Any]) -> PartyKey:
    return PartyKey(
        id=row["id"],
        key=load_jwk(decode_strict(bytes(row["jwk"]), Jwk)),
        party=row["party"],
        name=row["name"],
        roles=frozenset(row["roles"].split(",")),
        sites=parse_scope(row["scope"]),
        valid_from_ms=row["valid_from_ms"],
        valid_to_ms=row["valid_to_ms"],
        replaces=row["replaces"],
        reason=row["reason"],
        proposed_ms=row["proposed_ms"],
        proposed_by=row["proposed_by"],
        decided_ms=row["decided_ms"],
        decided_by=row["decided_by"],
        approved=row["approved"],
        ended_ms=row["ended_ms"],
        revoked_ms=row["revoked_ms"],
        revoked_by=row["revoked_by"],
    )
