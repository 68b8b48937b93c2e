"""The tables of the collector, once, as SQLAlchemy Core metadata.

Three kinds of rows, and what a loss of each would cost:

- *record of years*: `tokens`, `blobs`, `records`, `log_runs`, `inventories`, `ledger_events`,
  `attested_events`,
  `ledger_statements`, `host_keys`, `party_keys`, `period_documents`, `rule_tables`,
  `rule_proposals`, `sample_plans`, `sample_steps`. Append-only; nothing derived can replace them.
- *derived*: `hosts` (state columns), `presence`, `chips`, `chip_aliases`, `inventory_chips`,
  `cases`, `facts`, `claims`, `disputes`, `rounds`, `signatures`, `device_keys`, `findings`,
  `timers`. Recomputed from the record by replaying the sequencer's function. `ledger_marks`: from
  `ledger_events`, by whoever finds it behind.
- *working*: `enrolment_codes`, `attempts`, `proposals`, `evidence_due`, `principals`, `downtime`,
  `sequencer`, `waits`, `looks`.

Times are Unix milliseconds (`_ms`) or seconds (`_s`) of the collector's clock. Digests are 32
raw bytes in columns and base64url on the wire.
"""

from chipledger_server.adapters.schema.attested import attested_events, places
from chipledger_server.adapters.schema.cases import cases
from chipledger_server.adapters.schema.core import (
    Position,
    attempts,
    blobs,
    build_hosts,
    builds,
    chip_aliases,
    chips,
    claims,
    collector,
    device_keys,
    disputes,
    downtime,
    enrolment_codes,
    evidence_due,
    findings,
    host_keys,
    hosts,
    inventories,
    inventory_chips,
    ledger_events,
    log_runs,
    metadata,
    odometers,
    presence,
    principals,
    proposals,
    records,
    refusals,
    rounds,
    sequencer,
    signatures,
    sites,
    slots,
    timers,
    tokens,
)
from chipledger_server.adapters.schema.marks import ledger_marked, ledger_marks
from chipledger_server.adapters.schema.parties import ledger_statements, party_keys
from chipledger_server.adapters.schema.periods import period_documents
from chipledger_server.adapters.schema.rules import rule_proposals, rule_tables
from chipledger_server.adapters.schema.samples import sample_plans, sample_steps
from chipledger_server.adapters.schema.watch import facts, looks, waits

__all__ = [
    "Position",
    "attempts",
    "attested_events",
    "blobs",
    "build_hosts",
    "builds",
    "cases",
    "chip_aliases",
    "chips",
    "claims",
    "collector",
    "device_keys",
    "disputes",
    "downtime",
    "enrolment_codes",
    "evidence_due",
    "facts",
    "findings",
    "host_keys",
    "hosts",
    "inventories",
    "inventory_chips",
    "ledger_events",
    "ledger_marked",
    "ledger_marks",
    "ledger_statements",
    "log_runs",
    "looks",
    "metadata",
    "odometers",
    "party_keys",
    "period_documents",
    "places",
    "presence",
    "principals",
    "proposals",
    "records",
    "refusals",
    "rounds",
    "rule_proposals",
    "rule_tables",
    "sample_plans",
    "sample_steps",
    "sequencer",
    "signatures",
    "sites",
    "slots",
    "timers",
    "tokens",
    "waits",
]
