"""Evidence signed by chips: what waits to be verified, and what was."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "evidence_due",
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_evidence_due")),
    )
    op.create_table(
        "rounds",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("reasons", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_rounds")),
    )
    op.create_table(
        "signatures",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("chip", sa.BigInteger(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["chip"], ["chips.id"], name=op.f("fk_signatures_chip_chips")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signatures")),
    )
    with op.batch_alter_table("signatures", schema=None) as batch_op:
        batch_op.create_index("ix_signatures_chip", ["chip", "host", "since_ms"], unique=False)
        batch_op.create_index("ix_signatures_host", ["host", "until_ms"], unique=False)
    op.create_table(
        "device_keys",
        sa.Column("chip", sa.BigInteger(), nullable=False),
        sa.Column("rot", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["chip"], ["chips.id"], name=op.f("fk_device_keys_chip_chips")),
        sa.PrimaryKeyConstraint("chip", "rot", name=op.f("pk_device_keys")),
    )
