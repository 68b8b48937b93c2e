"""Keys in TPMs, enrolments in two steps, and what takes two people."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "attempts",
        sa.Column("session", sa.LargeBinary(), nullable=False),
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session", name=op.f("pk_attempts")),
        sa.UniqueConstraint("kid", name=op.f("uq_attempts_kid")),
    )
    op.create_index("ix_attempts_expires_ms", "attempts", ["expires_ms"], unique=False)
    op.create_table(
        "proposals",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("proposed_ms", sa.BigInteger(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("decided_ms", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("approved", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["host"], ["hosts.id"], name=op.f("fk_proposals_host_hosts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposals")),
    )
    op.create_index("ix_proposals_host", "proposals", ["host"], unique=False)
    with op.batch_alter_table("enrolment_codes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("host", sa.Text(), nullable=True))
    with op.batch_alter_table("hosts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("first_site", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("retired_ms", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("quoted", sa.LargeBinary(), nullable=True))
    with op.batch_alter_table("host_keys", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ek", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("ak", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("ek_standing", sa.Text(), nullable=True))
        batch_op.create_index("ix_host_keys_ek", ["ek"], unique=False)
