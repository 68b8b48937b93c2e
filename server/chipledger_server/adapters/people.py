"""Principals, enrolment codes and revocations in the database."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from chipledger_server.adapters import recording, schema
from chipledger_server.adapters.database import for_writing
from chipledger_server.usecases.access import Principal, Role, parse_scope, scope_text
from chipledger_server.usecases.codes import KeyFact, NewCode
from chipledger_server.usecases.decisions import Draft


class SqlPeople:
    """Principals in the table `principals`; every change with its record in one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = for_writing(engine)

    def everybody(self) -> Sequence[Principal]:
        """Return all principals, revoked ones too, by name."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(schema.principals).order_by(schema.principals.c.name)
            ).mappings()
            return [_principal(row) for row in rows]

    def by_token(self, digest: bytes) -> Principal | None:
        """Return the principal with the token of this hash."""
        with self._engine.connect() as connection:
            row = (
                connection.execute(
                    select(schema.principals).where(schema.principals.c.token_hash == digest)
                )
                .mappings()
                .first()
            )
        return None if row is None else _principal(row)

    def by_id(self, principal: str) -> tuple[Principal, bytes] | None:
        """Return a principal and the hash of its present token."""
        with self._engine.connect() as connection:
            row = (
                connection.execute(
                    select(schema.principals).where(schema.principals.c.id == principal)
                )
                .mappings()
                .first()
            )
        return None if row is None else (_principal(row), bytes(row["token_hash"]))

    def add(self, principal: Principal, digest: bytes, record: Draft) -> None:
        """Add a principal."""
        with self._writer.begin() as connection:
            connection.execute(
                insert(schema.principals).values(
                    id=principal.id,
                    name=principal.name,
                    role=str(principal.role),
                    scope=scope_text(principal.sites),
                    token_hash=digest,
                    created_ms=principal.created_ms,
                    expires_ms=principal.expires_ms,
                )
            )
            put(connection, record)

    def revoke(self, principal: Principal, record: Draft) -> None:
        """Write down that a principal is revoked."""
        self._change(principal, record, {"revoked_ms": principal.revoked_ms})

    def rotate(self, principal: Principal, digest: bytes, record: Draft) -> None:
        """Replace a principal's token hash and expiry."""
        values = {"token_hash": digest, "expires_ms": principal.expires_ms}
        self._change(principal, record, values)

    def _change(self, principal: Principal, record: Draft, values: Mapping[str, Any]) -> None:
        with self._writer.begin() as connection:
            connection.execute(
                update(schema.principals)
                .where(schema.principals.c.id == principal.id)
                .values(**values)
            )
            put(connection, record)


class SqlCodes:
    """Enrolment codes and host keys, as an administrator handles them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = for_writing(engine)

    def has_site(self, site: str) -> bool:
        """Tell whether a site is declared."""
        with self._engine.connect() as connection:
            found = connection.execute(select(schema.sites.c.id).where(schema.sites.c.id == site))
            return found.first() is not None

    def add_code(self, code: NewCode, record: Draft) -> None:
        """Keep an enrolment code, by its hash."""
        with self._writer.begin() as connection:
            connection.execute(
                insert(schema.enrolment_codes).values(
                    code_hash=code.code_hash,
                    site=code.site,
                    uses_left=code.uses,
                    expires_ms=code.expires_ms,
                    serials=code.serials,
                    created_ms=code.created_ms,
                    principal=code.principal,
                )
            )
            put(connection, record)

    def key(self, kid: str) -> KeyFact | None:
        """Return what is known of a host key."""
        with self._engine.connect() as connection:
            row = connection.execute(
                select(schema.host_keys.c.host, schema.host_keys.c.revoked_ms).where(
                    schema.host_keys.c.kid == kid
                )
            ).first()
        return None if row is None else KeyFact(host=row.host, revoked_ms=row.revoked_ms)

    def revoke_key(self, kid: str, *, at_ms: int, record: Draft) -> None:
        """Write down that no further signature of a key is accepted."""
        with self._writer.begin() as connection:
            connection.execute(
                update(schema.host_keys)
                .where(schema.host_keys.c.kid == kid)
                .values(revoked_ms=at_ms)
            )
            put(connection, record)


def put(connection: Connection, record: Draft) -> None:
    """Write a record down, in the transaction of what it records."""
    recording.append_record(
        connection,
        kind=record.kind,
        subject=record.subject,
        principal=record.principal,
        record=record.record,
        time_ms=record.time_ms,
        salt=record.salt,
    )


def principal_named(connection: Connection, name: str) -> Principal | None:
    """Return a principal by name."""
    table = schema.principals
    row = connection.execute(select(table).where(table.c.name == name)).mappings().first()
    return None if row is None else _principal(row)


def _principal(row: Mapping[Any, Any]) -> Principal:
    return Principal(
        id=row["id"],
        name=row["name"],
        role=Role(row["role"]),
        sites=parse_scope(row["scope"]),
        created_ms=row["created_ms"],
        expires_ms=row["expires_ms"],
        revoked_ms=row["revoked_ms"],
    )
