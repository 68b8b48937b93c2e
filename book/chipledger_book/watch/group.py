"""What only shows over several sites: of one ultimate parent, or of nobody this ledger knows."""

from collections.abc import Callable, Iterator
from typing import Final

from chipledger_book.watch.external import strangers, unclaimed, unmatched
from chipledger_book.watch.facts import Watched, watched
from chipledger_book.watch.group_view import GroupView
from chipledger_book.watch.look import Found, gauge_of
from chipledger_book.watch.quantities import caps, ending_licences
from chipledger_book.watch.scene import Measure, Scene
from chipledger_book.watch.shuttled import shuttled
from chipledger_book.watch.structuring import consignees_under_a_limit, shipments_under_a_limit
from chipledger_book.watch.twice import received_twice

DETECTORS: Final[tuple[Callable[[GroupView], Iterator[Found]], ...]] = (
    caps,
    ending_licences,
    consignees_under_a_limit,
    shipments_under_a_limit,
    received_twice,
    shuttled,
    unmatched,
)


def watch_group(parent: str, scene: Scene, measure: Measure, at_ms: int) -> Watched:
    """Return what shows over all sites of an ultimate parent and not at one of them.

    Args:
        parent: the ultimate parent, as the sites declare it at the time.
        scene: the book and the sightings at the time.
        measure: tables, and the balances of the parent's sites.
        at_ms: the time.

    Raises:
        BookError: as `reconcile`, where the catalogue lacks what the book holds.
    """
    gauge = gauge_of(scene, measure, at_ms)
    if gauge is None:
        return watched([], measure.versions())
    group = GroupView(parent=parent, scene=scene, measure=measure, gauge=gauge)
    found = [one for detector in DETECTORS for one in detector(group)]
    return watched(found, measure.versions())


def watch_unclaimed(scene: Scene, measure: Measure, at_ms: int) -> Watched:
    """Return what outsiders recorded for parties that no site of the ledger has.

    Nobody answers for these: a delivery that was never declared shows here, if anywhere.
    """
    gauge = gauge_of(scene, measure, at_ms)
    if gauge is None:
        return watched([], measure.versions())
    names = [name for name in scene.book.site_ids() if scene.book.declarations(name)]
    consignees = {scene.book.site(name, at_ms).consignee.id for name in names}
    records = strangers(scene.book.external_records(at_ms), consignees, names)
    return watched(list(unclaimed(gauge, records)), measure.versions())
