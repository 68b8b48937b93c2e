"""Samples: plans that were committed to, and the steps that followed."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "sample_plans",
        sa.Column("pos", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("commitment", sa.Text(), nullable=False),
        sa.Column("seed_by", sa.Text(), nullable=False),
        sa.Column("answer_within_ms", sa.BigInteger(), nullable=False),
        sa.Column("planned_ms", sa.BigInteger(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("chips", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("population", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("pos", name=op.f("pk_sample_plans")),
        sa.UniqueConstraint("id", name=op.f("uq_sample_plans_id")),
        sa.UniqueConstraint("commitment", name=op.f("uq_sample_plans_commitment")),
    )
    op.create_index("ix_sample_plans_site", "sample_plans", ["site", "planned_ms"], unique=False)
    op.create_table(
        "sample_steps",
        sa.Column("pos", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan"], ["sample_plans.id"], name=op.f("fk_sample_steps_plan_sample_plans")
        ),
        sa.PrimaryKeyConstraint("pos", name=op.f("pk_sample_steps")),
    )
    op.create_index(
        "uq_sample_steps_number", "sample_steps", ["plan", "step", "number"], unique=True
    )
