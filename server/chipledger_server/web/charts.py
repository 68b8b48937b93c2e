"""Bars as numbers: widths in thousandths, drawn by the templates as SVG. Pure, no floats.

Colours and patterns stand in the style sheet; a bar always stands beside its numbers, never
instead of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from chipledger_book.report import BalanceRow, GradeStack
from chipledger_server.usecases.words import pieces

FULL: Final = 1000
"""Width of a whole bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One part of a bar: from `x`, `width` wide, of a kind, with a label for readers."""

    kind: str
    x: int
    width: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar: its parts, and a mark where the limit stands (None: no mark).

    Attributes:
        label: the whole bar in words.
    """

    segments: tuple[Segment, ...]
    mark: int | None
    label: str


def stack_bar(row: BalanceRow) -> Bar:
    """Return the chips of one model: present by grade, silent, disputed, unaccounted.

    The mark stands where the book ends, so what is off the book reaches beyond it.
    """
    silent = row.silent + row.silent_off_book
    disputed = row.disputed + row.disputed_off_book
    counts = [
        *_grades(row.present),
        ("silent", silent, "silent"),
        ("disputed", disputed, "disputed"),
        ("unaccounted", row.unaccounted, "unaccounted for"),
    ]
    total = sum(count for _, count, _ in counts)
    scale = max(total, row.book)
    mark = row.book * FULL // scale if scale and row.book < total else None
    return Bar(segments=tuple(_laid_out(counts, scale)), mark=mark, label=_words(counts))


def present_bar(present: GradeStack, scale: int) -> Bar:
    """Return present chips by grade, in a bar that stands for `scale` chips."""
    counts = _grades(present)
    return Bar(
        segments=tuple(_laid_out(counts, max(scale, present.total))),
        mark=None,
        label=_words(counts),
    )


def tpp_bar(*, held: int, used: int, beyond: int, left: int | None) -> Bar:
    """Return what a site has in TPP: what is beyond of what it holds, else what is used."""
    if beyond:
        return licence_bar(max(held, beyond), max(0, held - beyond))
    if left is None:
        return Bar(segments=(), mark=None, label=f"{held:,} TPP held, no room in TPP is stated")
    return licence_bar(used, used + left)


def licence_bar(used: int, limit: int | None, unit: str = "TPP") -> Bar:
    """Return what is used of a limit; what goes beyond it stands behind the mark."""
    if limit is None:
        return Bar(segments=(), mark=None, label=f"no limit in {unit} is stated")
    scale = max(used, limit)
    within = ("used", min(used, limit), "used")
    beyond = ("beyond", max(0, used - limit), "beyond the limit")
    label = f"{used:,} of {limit:,} {unit}"
    mark = limit * FULL // scale if scale and used > limit else None
    return Bar(segments=tuple(_laid_out((within, beyond), scale)), mark=mark, label=label)


def _grades(present: GradeStack) -> list[tuple[str, int, str]]:
    words = (
        ("g4", present.G4, "chip-signed and located (G4)"),
        ("g3", present.G3, "chip-signed (G3)"),
        ("g2", present.G2, "challenged (G2)"),
        ("g1", present.G1, "self-reported (G1)"),
    )
    return list(words)


def _laid_out(counts: Iterable[tuple[str, int, str]], scale: int) -> Iterable[Segment]:
    """Yield the parts side by side; the ends are rounded, so the parts always add up."""
    done = 0
    for kind, count, words in counts:
        if count:
            x = done * FULL // scale
            done += count
            width = max(done * FULL // scale - x, 2)
            yield Segment(kind=kind, x=x, width=width, label=f"{count:,} {words}")


def _words(counts: Iterable[tuple[str, int, str]]) -> str:
    said = [f"{pieces(count)} {words}" for _, count, words in counts if count]
    return ", ".join(said) or "no chip"
