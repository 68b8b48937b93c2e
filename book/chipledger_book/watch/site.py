"""Everything that is watched at one site."""

from collections.abc import Callable, Iterator
from typing import Final

from chipledger_book.watch.facts import Fact, Wait, Watched, watched
from chipledger_book.watch.look import Found, Gauge, Look
from chipledger_book.watch.scene import Measure, Scene
from chipledger_book.watch.times import Clock
from chipledger_book.watch.transit import more_than_shipped, on_the_way

DETECTORS: Final[tuple[Callable[[Look], Iterator[Found]], ...]] = (
    on_the_way,
    more_than_shipped,
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
    timers = measure.tables.timers
    if timers is None:
        return watched([], [], measure.versions())
    gauge = Gauge(measure.tables, timers, Clock(scene.downtime), at_ms=at_ms)
    look = Look(site=site, scene=scene, measure=measure, gauge=gauge)
    found = [one for detector in DETECTORS for one in detector(look)]
    return watched(
        [one for one in found if isinstance(one, Wait)],
        [one for one in found if isinstance(one, Fact)],
        measure.versions(),
    )
