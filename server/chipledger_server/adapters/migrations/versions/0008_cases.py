"""Findings as cases: their states from step to step, and what a finding is about."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step, and make a case of every finding that there is."""
    op.create_table(
        "cases",
        sa.Column("finding", sa.Text(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("round_ms", sa.BigInteger(), nullable=False),
        sa.Column("moved_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("finding", "since_ms", name=op.f("pk_cases")),
    )
    now = sa.text("until_ms IS NULL")
    op.create_index(op.f("ix_cases_expires_ms"), "cases", ["expires_ms"], sqlite_where=now)
    op.create_index(op.f("ix_cases_state"), "cases", ["state"], sqlite_where=now)
    with op.batch_alter_table("findings") as findings:
        findings.add_column(sa.Column("subject", sa.Text(), nullable=True))
        findings.add_column(sa.Column("extent", sa.Integer(), nullable=False, server_default="1"))
    op.execute("UPDATE findings SET subject = coalesce(host, site)")
    _cases_of_findings(op.get_bind())


def _cases_of_findings(connection: sa.Connection) -> None:
    rows = connection.exec_driver_sql(
        "SELECT id, severity, opened_ms, resolved_ms FROM findings"
    ).fetchall()
    for key, severity, opened_ms, resolved_ms in rows:
        _case(connection, key, severity, at_ms=opened_ms, opened_ms=opened_ms)
        if resolved_ms is not None:
            connection.exec_driver_sql(
                "UPDATE cases SET until_ms = ? WHERE finding = ?", (resolved_ms, key)
            )
            at_ms = max(resolved_ms, opened_ms + 1)
            _case(connection, key, severity, at_ms=at_ms, opened_ms=opened_ms)


def _case(
    connection: sa.Connection, key: str, severity: str, *, at_ms: int, opened_ms: int
) -> None:
    present = at_ms == opened_ms
    state = "open" if present else "resolved"
    body = {
        "id": key,
        "opened": opened_ms,
        "round": opened_ms,
        "severity": severity,
        "since": at_ms,
        "state": state,
        "steps": 1 if present else 2,
        "touched": at_ms,
    }
    if not present:
        body["present"] = False
    connection.exec_driver_sql(
        "INSERT INTO cases (finding, since_ms, state, severity, round_ms, moved_ms, body)"
        " VALUES (?,?,?,?,?,?,?)",
        (
            key,
            at_ms,
            state,
            severity,
            opened_ms,
            at_ms,
            json.dumps(body, sort_keys=True, separators=(",", ":")).encode(),
        ),
    )
