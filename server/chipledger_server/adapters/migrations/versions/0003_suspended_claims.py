"""Claims that a failed scan suspends; refused tokens, rivals and hosts that share an identity."""

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
        batch_op.drop_index("ix_presence_inventory")
        batch_op.create_index("ix_presence_inventory", ["inventory", "until_ms"], unique=False)
    with op.batch_alter_table("refusals", schema=None) as batch_op:
        batch_op.create_index("ix_refusals_token", ["token"], unique=False)
    with op.batch_alter_table("hosts", schema=None) as batch_op:
        batch_op.create_index("ix_hosts_ueid", ["ueid"], unique=False)
