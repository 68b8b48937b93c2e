"""What fresh tokens and inventories are compared with: last readings, slots, library builds."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "odometers",
        sa.Column("chip", sa.BigInteger(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ecc_corrected", sa.BigInteger(), nullable=True),
        sa.Column("ecc_uncorrected", sa.BigInteger(), nullable=True),
        sa.Column("rows_corrected", sa.BigInteger(), nullable=True),
        sa.Column("rows_uncorrected", sa.BigInteger(), nullable=True),
        sa.Column("bbx_seconds", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["chip"], ["chips.id"], name=op.f("fk_odometers_chip_chips")),
        sa.PrimaryKeyConstraint("chip", "host", name=op.f("pk_odometers")),
    )
    op.create_table(
        "slots",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("bdf", sa.Text(), nullable=False),
        sa.Column("chip", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["chip"], ["chips.id"], name=op.f("fk_slots_chip_chips")),
        sa.PrimaryKeyConstraint("host", "bdf", name=op.f("pk_slots")),
    )
    op.create_table(
        "builds",
        sa.Column("driver", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("hosts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("driver", "model", "sha256", name=op.f("pk_builds")),
    )
    op.create_table(
        "build_hosts",
        sa.Column("driver", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("driver", "model", "sha256", "host", name=op.f("pk_build_hosts")),
    )
