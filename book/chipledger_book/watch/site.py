"""Everything that is watched at one site."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from chipledger_book.watch.attestation import first_attestation, missing, overage
from chipledger_book.watch.borrowed import borrowed
from chipledger_book.watch.differences import differences
from chipledger_book.watch.facts import Watched, watched
from chipledger_book.watch.look import Found, gauge_of
from chipledger_book.watch.misplaced import seen_after_leaving, seen_elsewhere
from chipledger_book.watch.papers import disposals, late_events, losses, moves, windows
from chipledger_book.watch.quantities import uncovered
from chipledger_book.watch.rma import open_rmas, rma_rate
from chipledger_book.watch.scene import Measure, Scene
from chipledger_book.watch.storage import at_rest, broken_seals
from chipledger_book.watch.together import weighed_together
from chipledger_book.watch.transit import more_than_shipped, on_the_way
from chipledger_book.watch.view import View

DETECTORS: Final[tuple[Callable[[View], Iterator[Found]], ...]] = (
    on_the_way,
    more_than_shipped,
    differences,
    first_attestation,
    missing,
    overage,
    seen_elsewhere,
    seen_after_leaving,
    open_rmas,
    rma_rate,
    at_rest,
    broken_seals,
    moves,
    disposals,
    losses,
    windows,
    late_events,
    borrowed,
    uncovered,
)


def watch_site(site: str, scene: Scene, measure: Measure, at_ms: int) -> Watched:
    """Return who is late at a site, and what somebody there should explain.

    Args:
        site: which site; it may be undeclared.
        scene: the book and the sightings at the time.
        measure: tables and the site's balance; without timers nothing is watched.
        at_ms: the time.

    Raises:
        BookError: as `reconcile`, where the catalogue lacks what the book holds.
    """
    gauge = gauge_of(scene, measure, at_ms)
    if gauge is None:
        return watched([], measure.versions())
    view = View(site=site, scene=scene, measure=measure, gauge=gauge)
    found: Iterable[Found] = (one for detector in DETECTORS for one in detector(view))
    timers = measure.tables.timers
    if timers is not None:
        found = weighed_together(found, timers, gauge.day)
    return watched(found, measure.versions())
