"""Where chips are, and the ledger events by which the collector records it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "attested_events",
        sa.Column(
            "pos",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pos", name=op.f("pk_attested_events")),
        sa.UniqueConstraint("id", name=op.f("uq_attested_events_id")),
    )
    with op.batch_alter_table("attested_events", schema=None) as batch_op:
        batch_op.create_index("ix_attested_events_host", ["host", "at_ms"], unique=False)
        batch_op.create_index("ix_attested_events_site", ["site", "type", "at_ms"], unique=False)
    op.create_table(
        "places",
        sa.Column("chip", sa.BigInteger(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("left_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["chip"], ["chips.id"], name=op.f("fk_places_chip_chips")),
        sa.PrimaryKeyConstraint("chip", name=op.f("pk_places")),
    )
