"""Findings of the book as readers are shown them: sentences, explanations, who should do what."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from chipledger_book.watch import FactKind
from chipledger_book.watch.words import WORDS, in_words
from chipledger_server.usecases.showing import ANOTHER_SITE, Look

_KINDS: Final = frozenset(FactKind)
_NAMING_SITES: Final = ("at", "sites")


def is_fact(kind: str) -> bool:
    """Tell whether a finding is one of the book."""
    return kind in _KINDS


def fact_words(kind: str, detail: Mapping[str, Any]) -> str:
    """Return what was found in a sentence, and who should do what about it.

    Raises:
        KeyError: the detail lacks what the sentence names, as one of an older version may.
    """
    words = WORDS[FactKind(kind)]
    what = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in detail["what"].items()
    }
    said = in_words(FactKind(kind), {**what, "pieces": detail["pieces"], "tpp": detail["tpp"]})
    return f"{said} To do, {words.who}: {words.do}"


def innocent_facts(kind: str) -> Sequence[str]:
    """Return explanations that need no bad intent."""
    return WORDS[FactKind(kind)].innocent


def own_fact(detail: Mapping[str, Any], look: Look) -> dict[str, Any]:
    """Return a detail in which sites that the reader may not see have no name."""
    what = dict(detail.get("what", {}))  # an older version may have recorded less
    for member in _NAMING_SITES:
        if member in what:
            what[member] = _own(what[member], look)
    return {**detail, "what": what}


def _own(value: Any, look: Look) -> Any:  # noqa: ANN401 - a name, or several
    if isinstance(value, list):
        return sorted({_own(one, look) for one in value})
    return value if look.sees(str(value)) else ANOTHER_SITE
