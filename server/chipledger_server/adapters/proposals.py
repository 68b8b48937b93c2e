"""Proposals about hosts in the database."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from chipledger_server.adapters import schema
from chipledger_server.adapters.database import for_writing
from chipledger_server.adapters.people import principal_named, put
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.codes import NewCode
from chipledger_server.usecases.decisions import Draft
from chipledger_server.usecases.proposals import HostPlace, Proposal, Wish


class SqlProposals:
    """The table `proposals`, and what follows from a decision."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = for_writing(engine)

    def has_site(self, site: str) -> bool:
        """Tell whether a site is declared."""
        with self._engine.connect() as connection:
            found = connection.execute(select(schema.sites.c.id).where(schema.sites.c.id == site))
            return found.first() is not None

    def place(self, host: str) -> HostPlace | None:
        """Return where a host is, None when there is none."""
        hosts = schema.hosts.c
        with self._engine.connect() as connection:
            row = connection.execute(
                select(hosts.site, hosts.retired_ms).where(hosts.id == host)
            ).first()
        return None if row is None else HostPlace(site=row.site, retired=row.retired_ms is not None)

    def proposer(self, name: str) -> Principal | None:
        """Return a principal by name, a revoked one too."""
        with self._engine.connect() as connection:
            return principal_named(connection, name)

    def proposals(self) -> Sequence[Proposal]:
        """Return all proposals, the newest first."""
        table = schema.proposals
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(table).order_by(table.c.proposed_ms.desc(), table.c.id)
            )
            return [_proposal(row) for row in rows.mappings()]

    def propose(self, proposal: Proposal, record: Draft) -> None:
        """Keep a proposal."""
        with self._writer.begin() as connection:
            connection.execute(
                insert(schema.proposals).values(
                    id=proposal.id,
                    action=str(proposal.wish),
                    host=proposal.host,
                    site=proposal.site,
                    reason=proposal.reason,
                    proposed_ms=proposal.proposed_ms,
                    proposed_by=proposal.proposed_by,
                )
            )
            put(connection, record)

    def decide(self, proposal: Proposal, record: Draft, *, code: NewCode | None) -> bool:
        """Keep a decision and what follows; False when another one came first."""
        table = schema.proposals
        with self._writer.begin() as connection:
            changed = connection.execute(
                update(table)
                .where(table.c.id == proposal.id, table.c.decided_ms.is_(None))
                .values(
                    decided_ms=proposal.decided_ms,
                    decided_by=proposal.decided_by,
                    approved=proposal.approved,
                )
            )
            if not changed.rowcount:
                return False
            if proposal.approved and proposal.wish is Wish.RETIRE:
                _revoke(connection, proposal)
            if code is not None:
                _keep_code(connection, code, proposal.host)
            put(connection, record)
        return True


def _revoke(connection: Connection, proposal: Proposal) -> None:
    keys = schema.host_keys
    connection.execute(
        update(keys)
        .where(keys.c.host == proposal.host, keys.c.revoked_ms.is_(None))
        .values(revoked_ms=proposal.decided_ms)
    )


def _keep_code(connection: Connection, code: NewCode, host: str) -> None:
    connection.execute(
        insert(schema.enrolment_codes).values(
            code_hash=code.code_hash,
            site=code.site,
            uses_left=code.uses,
            expires_ms=code.expires_ms,
            created_ms=code.created_ms,
            principal=code.principal,
            host=host,
        )
    )


def _proposal(row: Mapping[Any, Any]) -> Proposal:
    return Proposal(
        id=row["id"],
        wish=Wish(row["action"]),
        host=row["host"],
        site=row["site"],
        reason=row["reason"],
        proposed_ms=row["proposed_ms"],
        proposed_by=row["proposed_by"],
        decided_ms=row["decided_ms"],
        decided_by=row["decided_by"],
        approved=row["approved"],
    )
