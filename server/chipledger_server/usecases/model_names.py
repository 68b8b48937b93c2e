"""Which SKU an observed model is, remembered: most chips of a site are of one model."""

from datetime import date
from typing import Final

from chipledger_book.catalogue import Catalogue, ObservedModel, Unknown, identify

_MOST_KNOWN: Final = 10_000


class ModelNames:
    """Names models by one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._known: dict[tuple[ObservedModel, date], str | None] = {}

    def sku(self, model: ObservedModel, day: date) -> str | None:
        """Return the SKU of a model on a day, or None where the catalogue does not hold it."""
        key = (model, day)
        if key not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            answer = identify(model, self._catalogue, day)
            self._known[key] = None if isinstance(answer, Unknown) else answer.sku.sku
        return self._known[key]
