"""The history of every chip that answered at a site, and what chips and things are called."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from chipledger_book.matching import KINDS, Item
from chipledger_book.physical import ChipState, SeenChip, Stay
from chipledger_book.timers import Timer
from chipledger_book.watch.look import Look
from chipledger_book.watch.vanishing import Past


def histories(look: Look, seen: Mapping[str, Sequence[SeenChip]]) -> dict[str, dict[str, Past]]:
    """Return the history of every chip that ever answered here, by model and chip id.

    A chip whose claim here is disputed has not answered here.
    """
    now = {chip.chip_id: (sku, chip) for sku, chips in seen.items() for chip in chips}
    runs: dict[str, list[Stay]] = defaultdict(list)
    for stay in look.scene.stays(look.site):
        runs[stay.chip_id].append(stay)
    found: dict[str, dict[str, Past]] = defaultdict(dict)
    for chip_id, stays in runs.items():
        current = now.get(chip_id)
        skus = [stay.sku for stay in stays if stay.sku is not None]
        sku = current[0] if current is not None else (skus[-1] if skus else None)
        if sku is None or (current is not None and current[1].state is ChipState.DISPUTED):
            continue
        found[sku][chip_id] = _past(look, stays, None if current is None else current[1])
    for chip_id, (sku, chip) in now.items():
        if chip_id not in runs and chip.state is not ChipState.DISPUTED:
            at = look.at_ms
            found[sku][chip_id] = Past(chip=chip, first_ms=at, last_ms=at, came_ms=at)
    return found


def _past(look: Look, stays: Sequence[Stay], current: SeenChip | None) -> Past:
    """Return the history of one chip; what names the place of a chip is what it said first."""
    ordered = sorted(stays, key=lambda stay: (stay.from_ms, stay.until_ms, stay.host))
    newest: list[SeenChip | Stay] = [
        *([] if current is None else [current]),
        *reversed(ordered),
    ]
    last, oldest = ordered[-1], [*ordered, *newest[:1]]
    return Past(
        chip=SeenChip(
            chip_id=last.chip_id,
            site=last.site,
            host=last.host,
            grade=last.grade,
            state=ChipState.PRESENT,
            pdi=_name("pdi", newest),
            uuid=_name("uuid", newest),
            board=_name("board", newest),
            tray=_name("tray", oldest),
            server=_name("server", oldest),
            rack=_name("rack", oldest),
        ),
        first_ms=ordered[0].from_ms,
        last_ms=max(stay.until_ms for stay in ordered),
        runs=tuple((stay.from_ms, stay.until_ms) for stay in ordered),
        came_ms=_came(look, ordered),
    )


def _came(look: Look, ordered: Sequence[Stay]) -> int:
    """Return when a chip came, the last time that it had been away for long."""
    came, end = ordered[0].from_ms, ordered[0].until_ms
    for stay in ordered[1:]:
        if stay.from_ms > end and stay.from_ms > (look.gauge.due_ms(Timer.DEPARTURE, end) or end):
            came = stay.from_ms
        end = max(end, stay.until_ms)
    return came


def _name(kind: str, ordered: Iterable[SeenChip | Stay]) -> str | None:
    """Return the first name of a kind that a chip gave, in an order."""
    return next((name for one in ordered if (name := getattr(one, kind))), None)


def label(chip: SeenChip | Stay) -> str:
    """Return the strongest name of a chip, with its kind."""
    for kind in KINDS:
        name = getattr(chip, kind)
        if name:
            return f"{kind} {name}"
    return f"chip {chip.chip_id}"


def item_label(item: Item) -> str:
    """Return the strongest name of a booked thing with its kind; empty for one by number."""
    return next((f"{kind} {item.names[kind]}" for kind in KINDS if kind in item.names), "")
