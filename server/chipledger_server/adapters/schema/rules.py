"""Tables of rules and who wants them changed."""

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, Table, Text

from chipledger_server.adapters.schema.core import metadata

rule_tables = Table(
    "rule_tables",  # every version that was ever shipped or loaded; rows never change
    metadata,
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("digest", Text, nullable=False),  # base64url, as verdicts name it
    Column("shipped", Boolean, nullable=False),  # the collector began with it
    Column("loaded_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),  # canonical bytes, as digested
)

rule_proposals = Table(
    "rule_proposals",  # what one person wants of the rules and another must agree to
    metadata,
    Column("id", Text, primary_key=True),
    Column("wish", Text, nullable=False),  # load | adopt
    Column("kind", Text, nullable=False),
    Column("table_id", Text, nullable=False),
    Column("version", Text, nullable=False),  # empty for an adoption
    Column("digest", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("proposed_ms", BigInteger, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("decided_ms", BigInteger),
    Column("decided_by", Text),
    Column("approved", Boolean),
    Index("ix_rule_proposals_table", "kind", "table_id", "version"),
)
