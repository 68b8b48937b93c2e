"""Enrolment codes, hosts and their keys in the database, as the enrolments' doors change them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from chipledger_evidence.codec import b64url_decode, encode_canonical
from chipledger_evidence.entry import EntryType
from chipledger_server.adapters.database import for_writing
from chipledger_server.adapters.recording import append_record
from chipledger_server.adapters.schema import (
    attempts,
    enrolment_codes,
    host_keys,
    hosts,
    records,
)
from chipledger_server.usecases.keyring import (
    Attempt,
    CodeRow,
    Enrolled,
    HostEnrolled,
    HostRow,
    KeyAdded,
    TpmConflict,
)

MOST_ATTEMPTS: Final = 1000
"""Open enrolments with a TPM, in all: each costs up to 64 KiB until its time is over."""

_COLLECTOR: Final = "collector"


class _Conflict(msgspec.Struct, frozen=True):
    """What makes two conflicts of a host the same; other records of its keys have neither."""

    ek: str = ""
    what: str = ""


class SqlEnrolmentBook:
    """Codes, hosts, keys and attempts inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def enrolled(self, kid: str) -> Enrolled | None:
        """Return what is known of a key."""
        return _enrolled(self._connection, kid)

    def code(self, code_hash: bytes) -> CodeRow | None:
        """Return an enrolment code."""
        row = self._connection.execute(
            select(enrolment_codes).where(enrolment_codes.c.code_hash == code_hash)
        ).first()
        if row is None:
            return None
        serials = None if row.serials is None else msgspec.json.decode(row.serials, type=list[str])
        return CodeRow(
            site=row.site,
            uses_left=row.uses_left,
            expires_ms=row.expires_ms,
            serials=None if serials is None else frozenset(serials),
            host=row.host,
        )

    def host(self, host: str) -> HostRow:
        """Return a host that exists."""
        row = self._connection.execute(
            select(hosts.c.site, hosts.c.retired_ms).where(hosts.c.id == host)
        ).one()
        keys = self._connection.execute(
            select(host_keys.c.kid, host_keys.c.ek, host_keys.c.revoked_ms)
            .where(host_keys.c.host == host)
            .order_by(host_keys.c.num)
        ).all()
        return HostRow(
            site=row.site,
            retired=row.retired_ms is not None,
            keys=tuple(key.kid for key in keys if key.revoked_ms is None),
            ek=next((bytes(key.ek) for key in reversed(keys) if key.ek is not None), None),
        )

    def host_of(self, ek: bytes) -> str | None:
        """Return the host that an endorsement key was ever enrolled for."""
        return self._connection.execute(
            select(host_keys.c.host).where(host_keys.c.ek == ek).limit(1)
        ).scalar()

    def enrol(self, record: HostEnrolled, code_hash: bytes, salt: bytes) -> bytes:
        """Take one use of the code, keep host and key, write the record; return its leaf."""
        leaf = self._write(EntryType.ENROLMENT, record, salt)
        self._use(code_hash)
        self._connection.execute(
            insert(hosts).values(
                id=record.host,
                num=select(func.coalesce(func.max(hosts.c.num), 0) + 1).scalar_subquery(),
                site=record.site,
                ueid=record.ueid,
                hardware=record.hardware,
                provider=record.provider,
                enrolled_ms=record.at,
                code_hash=code_hash,
            )
        )
        self._keep(record, code_hash, leaf)
        return leaf

    def add_key(self, record: KeyAdded, code_hash: bytes, salt: bytes) -> bytes:
        """Keep a key of a known host, revoke those it names, write the record; return its leaf."""
        leaf = self._write(EntryType.KEY, record, salt)
        if record.cause == "replacement":
            self._use(code_hash)
        self._connection.execute(
            update(host_keys)
            .where(host_keys.c.kid.in_(record.revoked), host_keys.c.revoked_ms.is_(None))
            .values(revoked_ms=record.at)
        )
        self._keep(record, code_hash, leaf)
        return leaf

    def conflict(self, record: TpmConflict, salt: bytes) -> None:
        """Write a conflict down, unless the same one is written already."""
        earlier = self._connection.execute(
            select(records.c.record).where(
                records.c.subject == record.host, records.c.type == str(EntryType.KEY)
            )
        ).scalars()
        same = (msgspec.json.decode(body, type=_Conflict) for body in earlier)
        if _Conflict(ek=record.ek, what=record.what) not in same:
            self._write(EntryType.KEY, record, salt)

    def attempt(self, session: bytes) -> Attempt | None:
        """Return an attempt that is still kept."""
        return self._attempt(attempts.c.session == session)

    def attempt_of(self, kid: str) -> Attempt | None:
        """Return the attempt of a key."""
        return self._attempt(attempts.c.kid == kid)

    def begin(self, attempt: Attempt, now_ms: int) -> bool:
        """Keep an attempt in place of the key's former one; False when too many are open."""
        over = (attempts.c.expires_ms <= now_ms) | (attempts.c.kid == attempt.kid)
        self._connection.execute(delete(attempts).where(over))
        held = self._connection.execute(select(func.count()).select_from(attempts)).scalar_one()
        if held >= MOST_ATTEMPTS:
            return False
        self._connection.execute(
            insert(attempts).values(
                session=attempt.session,
                kid=attempt.kid,
                request=attempt.request,
                secret=attempt.secret,
                blob=attempt.blob,
                seed=attempt.seed,
                expires_ms=attempt.expires_ms,
            )
        )
        return True

    def spend(self, session: bytes) -> None:
        """Write down that an attempt was answered; its secret is forgotten."""
        self._connection.execute(
            update(attempts).where(attempts.c.session == session).values(secret=None)
        )

    def _attempt(self, where: Any) -> Attempt | None:  # noqa: ANN401 - an SQL expression
        row = self._connection.execute(select(attempts).where(where)).first()
        if row is None:
            return None
        return Attempt(
            session=bytes(row.session),
            kid=row.kid,
            request=bytes(row.request),
            secret=b"" if row.secret is None else bytes(row.secret),
            blob=bytes(row.blob),
            seed=bytes(row.seed),
            expires_ms=row.expires_ms,
            spent=row.secret is None,
        )

    def _write(
        self, kind: EntryType, record: HostEnrolled | KeyAdded | TpmConflict, salt: bytes
    ) -> bytes:
        return append_record(
            self._connection,
            kind=kind,
            subject=record.host,
            principal=_COLLECTOR,
            record=encode_canonical(record),
            time_ms=record.at,
            salt=salt,
        )

    def _use(self, code_hash: bytes) -> None:
        self._connection.execute(
            update(enrolment_codes)
            .where(enrolment_codes.c.code_hash == code_hash)
            .values(uses_left=enrolment_codes.c.uses_left - 1)
        )

    def _keep(self, record: HostEnrolled | KeyAdded, code_hash: bytes, leaf: bytes) -> None:
        tpm = record.tpm
        self._connection.execute(
            insert(host_keys).values(
                kid=record.kid,
                num=select(func.coalesce(func.max(host_keys.c.num), 0) + 1).scalar_subquery(),
                host=record.host,
                jwk=encode_canonical(record.jwk),
                tier=str(record.tier),
                code_hash=code_hash,
                enrolled_ms=record.at,
                leaf=leaf,
                ek=None if tpm is None else b64url_decode(tpm.ek),
                ak=None if tpm is None else b64url_decode(tpm.ak),
                ek_standing=None if tpm is None else str(tpm.standing),
            )
        )


class SqlEnrolments:
    """Transactions over codes, hosts and keys."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = for_writing(engine)

    def is_made(self, code_hash: bytes) -> bool:
        """Tell whether an enrolment code was ever made, without the write lock."""
        query = select(enrolment_codes.c.site).where(enrolment_codes.c.code_hash == code_hash)
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def key(self, kid: str) -> Enrolled | None:
        """Return what is known of a key, without the write lock."""
        with self._engine.connect() as connection:
            return _enrolled(connection, kid)

    @contextmanager
    def changing(self) -> Iterator[SqlEnrolmentBook]:
        """Begin a transaction that ends with the block: kept, or undone by an exception."""
        with self._writer.begin() as connection:
            yield SqlEnrolmentBook(connection)


def _enrolled(connection: Connection, kid: str) -> Enrolled | None:
    row = connection.execute(
        select(
            host_keys.c.host,
            hosts.c.site,
            host_keys.c.tier,
            host_keys.c.code_hash,
            host_keys.c.enrolled_ms,
            host_keys.c.leaf,
            host_keys.c.revoked_ms,
            host_keys.c.jwk,
        )
        .join(hosts, hosts.c.id == host_keys.c.host)
        .where(host_keys.c.kid == kid)
    ).first()
    if row is None:
        return None
    return Enrolled(
        host=row.host,
        site=row.site,
        tier=row.tier,
        code_hash=bytes(row.code_hash),
        enrolled_ms=row.enrolled_ms,
        leaf=bytes(row.leaf),
        revoked=row.revoked_ms is not None,
        jwk=bytes(row.jwk),
    )
