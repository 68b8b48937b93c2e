"""Claims that a failed scan suspends: whose chips a host still holds."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    with op.batch_alter_table("presence", schema=None) as batch_op:
        batch_op.add_column(sa.Column("held", sa.LargeBinary(), nullable=True))
