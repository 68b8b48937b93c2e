"""Samples: plans that were committed to, and the steps that followed. Never changed or deleted."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from chipledger_server.adapters.schema.core import Position, metadata

sample_plans = Table(
    "sample_plans",
    metadata,
    Column("pos", Position, primary_key=True),
    Column("id", Text, nullable=False, unique=True),  # digest of the plan
    Column("site", Text, nullable=False),
    # SHA-256 of the seed, hex. Unique: a seed decides one draw.
    Column("commitment", Text, nullable=False, unique=True),
    Column("seed_by", Text, nullable=False),  # auditor | collector
    Column("answer_within_ms", BigInteger, nullable=False),
    Column("planned_ms", BigInteger, nullable=False),
    Column("principal", Text, nullable=False),
    Column("chips", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),  # canonical bytes of the plan, zlib
    Column("population", LargeBinary, nullable=False),  # canonical bytes, zlib
    Index("ix_sample_plans_site", "site", "planned_ms"),
)

sample_steps = Table(
    "sample_steps",
    metadata,
    Column("pos", Position, primary_key=True),
    Column("plan", Text, ForeignKey("sample_plans.id"), nullable=False),
    Column("step", Text, nullable=False),  # announced | drawn | counted | concluded
    Column("number", Integer, nullable=False),  # 0; of sheets 1 and up
    Column("at_ms", BigInteger, nullable=False),
    Column("principal", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("due_ms", BigInteger),
    Column("body", LargeBinary, nullable=False),  # as digested, zlib
    # There is one draw and one conclusion of a plan, whoever asks for another.
    Index("uq_sample_steps_number", "plan", "step", "number", unique=True),
)
