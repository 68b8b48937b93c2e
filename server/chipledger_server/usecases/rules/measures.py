"""What a question is measured by: the tables of its time and rule set, and the policy."""

from dataclasses import replace
from typing import Final

from chipledger_book.tables import TableVersion, version_of
from chipledger_server.usecases.book.reconcile import Measure
from chipledger_server.usecases.rules.proposing import RuleStore

KEPT: Final = 16
"""Sets of tables of which what sites share is kept from one question to the next."""
Versions = tuple[TableVersion, ...]


class Measures:
    """Measures by time and rule set; what is kept for one set of tables is never another's."""

    def __init__(self, store: RuleStore, base: Measure) -> None:
        self._store = store
        self._base = base
        self._kept: dict[Versions, Measure] = {}

    @property
    def store(self) -> RuleStore:
        """Where the tables are kept."""
        return self._store

    def at(self, known_at_ms: int, rules: str | None = None) -> Measure:
        """Return the measure of a question.

        Args:
            known_at_ms: what was approved by then holds.
            rules: ``ID`` or ``ID@VERSION`` of a rule set; None: the one that is adopted.

        Raises:
            BookError: `unknown-table`.
            Refusal: `table-not-approved`.
        """
        tables = self._store.shelf().tables(rules, known_at_ms)
        others = (tables.timers, tables.calendars)
        key = tables.versions() + tuple(version_of(one) for one in others if one is not None)
        kept = self._kept.get(key)
        if kept is None:
            kept = replace(self._base, tables=tables, sharing=self._base.sharing.anew())
            while len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)), None)
            self._kept[key] = kept
        return kept
