"""A story told in a scene: a site where a server is missing, one is silent, and one lies."""

from collections.abc import Mapping
from dataclasses import dataclass

from chipledger_book.events import ByUnit
from chipledger_evidence.inventory import Chip
from chipledger_server.usecases.physical import Reading
from chipledger_testing.book import declared, licence, lpp, ms, party, pieces, received, site_of
from chipledger_testing.door import Door
from chipledger_testing.hosts import chip_of
from chipledger_testing.scene import HOUR, Scene, StagedHost

SITE = "johor-1"
FOREIGN = "abu-dhabi-2"
SINCE = ms(2026, 3, 2)
TWIN_SINCE = ms(2026, 3, 9)
DISPUTED_SINCE = ms(2026, 4)
SILENT_H = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Johor:
    """Two sites of two owners, hosts of eight chips each, and what is wrong with them.

    Johor received two servers under a licence of 16, and eight chips more. Host `good` is fresh,
    host `quiet` fell silent nine hours ago, host `twin` claims a chip of `good`, and one of its
    own has views that differ. Abu Dhabi, with host `gulf`, is in order.

    Attributes:
        events: id of each receipt, by its place.
        findings: id of each finding, by its type.
    """

    scene: Scene
    door: Door
    hosts: Mapping[str, StagedHost]
    chips: Mapping[str, list[Chip]]
    events: Mapping[str, str]
    findings: Mapping[str, str]


def tell(scene: Scene, door: Door) -> Johor:
    """Write the story into a scene."""
    events = _book(scene)
    hosts, chips = {}, {}
    for name in ("good", "quiet", "twin", "gulf"):
        hosts[name] = scene.host(FOREIGN if name == "gulf" else SITE, name, at=SINCE)
        chips[name] = [chip_of(name, index) for index in range(8)]
    scene.seen(hosts["good"], *chips["good"], since=SINCE)
    silent_since = scene.now_ms - SILENT_H * HOUR
    scene.seen(hosts["quiet"], *chips["quiet"], since=SINCE, until=silent_since)
    scene.seen(hosts["gulf"], *chips["gulf"], since=SINCE)
    readings = [Reading.READ] * 6 + [Reading.UNCONFIRMED]
    twin = [*chips["twin"][:7], chips["good"][0]]
    scene.seen(hosts["twin"], *twin, since=TWIN_SINCE, readings=readings)
    taken = chips["good"][0]
    scene.dispute(taken, loser=hosts["twin"], keeper=hosts["good"], since=DISPUTED_SINCE)
    findings = {
        "silent-host": scene.finding(
            "silent-host", severity="medium", site=SITE, host=hosts["quiet"].id
        ),
        "duplicate-identity": scene.finding(
            "duplicate-identity",
            severity="critical",
            site=SITE,
            host=hosts["twin"].id,
            chip=scene.chip_id(taken),
        ),
    }
    scene.sequence()
    return Johor(scene=scene, door=door, hosts=hosts, chips=chips, events=events, findings=findings)


def _book(scene: Scene) -> Mapping[str, str]:
    gulf = party("gulf-cloud", "AE")
    scene.enter(
        declared(site_of(SITE)),
        declared(site_of(FOREIGN, country="AE", owner=gulf)),
        licence("D-1", pieces(16)),
        lpp(consignee="gulf-cloud"),
    )
    servers = ByUnit(model="HGX-H100-8", serials=("SRV-1", "SRV-2"))
    own, more, foreign = scene.enter(
        received(servers, site=SITE, charged_to="D-1"),
        received(8, site=SITE, shipment="b"),
        received(8, site=FOREIGN, at=ms(2026, 2)),
    )
    return {"servers": own.id, "more": more.id, "foreign": foreign.id}
