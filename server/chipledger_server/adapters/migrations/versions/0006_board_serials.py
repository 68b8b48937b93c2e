"""Chips by the serial of their board, so that a history is found by what is printed on it."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    with op.batch_alter_table("inventory_chips", schema=None) as batch_op:
        batch_op.create_index("ix_inventory_chips_serial", ["serial"], unique=False)
