"""What finds the events that bear on another, so that entering one reads no whole ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "ledger_marks",
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("mark", "event", name=op.f("pk_ledger_marks")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger_marked",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pos", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_marked")),
    )
