"""Enrolment codes, hosts and their keys in the database, as the enrolments' door changes them."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from sqlalchemy import Connection, Engine, func, insert, select, update

from chipledger_evidence.codec import encode_canonical
from chipledger_evidence.entry import EntryType
from chipledger_server.adapters.database import for_writing
from chipledger_server.adapters.recording import append_record
from chipledger_server.adapters.schema import enrolment_codes, host_keys, hosts
from chipledger_server.usecases.enrol import CodeRow, Enrolled, HostEnrolled


class SqlEnrolmentBook:
    """Codes, hosts and keys inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def enrolled(self, kid: str) -> Enrolled | None:
        """Return what is known of a key."""
        row = self._connection.execute(
            select(
                host_keys.c.host,
                hosts.c.site,
                host_keys.c.tier,
                host_keys.c.code_hash,
                host_keys.c.enrolled_ms,
                host_keys.c.leaf,
                host_keys.c.revoked_ms,
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
        )

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
        )

    def enrol(self, record: HostEnrolled, code_hash: bytes, salt: bytes) -> bytes:
        """Take one use of the code, keep host and key, write the record; return its leaf."""
        leaf = append_record(
            self._connection,
            kind=EntryType.ENROLMENT,
            subject=record.host,
            principal="collector",
            record=encode_canonical(record),
            time_ms=record.at,
            salt=salt,
        )
        self._connection.execute(
            update(enrolment_codes)
            .where(enrolment_codes.c.code_hash == code_hash)
            .values(uses_left=enrolment_codes.c.uses_left - 1)
        )
        self._keep(record, code_hash, leaf)
        return leaf

    def _keep(self, record: HostEnrolled, code_hash: bytes, leaf: bytes) -> None:
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

    @contextmanager
    def changing(self) -> Iterator[SqlEnrolmentBook]:
        """Begin a transaction that ends with the block: kept, or undone by an exception."""
        with self._writer.begin() as connection:
            yield SqlEnrolmentBook(connection)
