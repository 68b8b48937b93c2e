"""What is watched: who is late, and what is wrong between the book and what was seen.

    site, scene, measure, at → waits (who must act by when) and facts (what somebody should explain)

Pure: the same arguments give the same answer, whatever order events and sightings came in. All
quantities are integers. A fact has the same kind and key every time it is seen, so that it is one
finding while it lasts; it is gone when its cause is. The kinds are
:class:`~chipledger_book.watch.facts.FactKind`; limits, thresholds and severities are dated data
(:mod:`chipledger_book.timers`).
"""

from chipledger_book.watch.facts import Fact, FactKind, Owner, Wait, WaitKind, Watched
from chipledger_book.watch.group import watch_group, watch_unclaimed
from chipledger_book.watch.scene import Measure, Scene
from chipledger_book.watch.site import watch_site

__all__ = [
    "Fact",
    "FactKind",
    "Measure",
    "Owner",
    "Scene",
    "Wait",
    "WaitKind",
    "Watched",
    "watch_group",
    "watch_site",
    "watch_unclaimed",
]
