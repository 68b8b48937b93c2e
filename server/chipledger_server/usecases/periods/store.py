"""Where frozen documents are kept, and what a freeze needs of the database besides a snapshot."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from chipledger_book.periods.course import Frozen
from chipledger_server.usecases.book.entry import Ledger
from chipledger_server.usecases.book.reconcile import Measure
from chipledger_server.usecases.decisions import Draft
from chipledger_server.usecases.reading import Reads

MOST_BYTES: Final = 64 * 1024 * 1024
"""Largest document of a period: some 150,000 chips by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The log's tree as the database has it.

    Attributes:
        size: entries.
        root: root hash.
        edge: roots of its whole subtrees, from which a later head goes on.
    """

    size: int
    root: bytes
    edge: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDocument:
    """A document on its way into the store."""

    frozen: Frozen
    body: bytes
    ledger_pos: int
    head: Head


class PeriodStore(Protocol):
    """Frozen documents; each kept with its log record, or not at all."""

    def frozen(self, site: str) -> Sequence[Frozen]:
        """Return the documents of a site, without bodies, oldest first."""
        ...

    def document(self, digest: str) -> bytes | None:
        """Return the canonical bytes of a document."""
        ...

    def ledger_end(self) -> int:
        """Return the position of the newest event of the ledger."""
        ...

    def entered_since(self, digest: str) -> frozenset[str]:
        """Return the ids of the events that were entered after a document was made."""
        ...

    def log_head(self) -> Head:
        """Return the head of the log, going on from the newest that was kept."""
        ...

    def keep(self, new: NewDocument, record: Draft) -> bool:
        """Keep a document; False when that version of the period is kept already."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodDesk:
    """What closing a period works with.

    Attributes:
        store: frozen documents.
        reads: everything that can be looked at.
        ledger: where sign-offs are entered.
        measures: what was known at → tables and policy that hold then.
        code: name and version of this software.
        most_bytes: largest document that is kept.
    """

    store: PeriodStore
    reads: Reads
    ledger: Ledger
    measures: Callable[[int], Measure]
    code: str
    most_bytes: int = MOST_BYTES
