"""Findings of the book on their page: a sentence, what may be behind it, and who should act."""

from chipledger_book.events import ByCount
from chipledger_book.movements import ShipmentDeclared
from chipledger_server.adapters.database import open_writer
from chipledger_server.adapters.sequence_sqlite import SqliteSequenceStore
from chipledger_server.config import Config
from chipledger_server.service import fold_of
from chipledger_server.usecases.book.lookout import Lookout
from chipledger_server.usecases.reading import When
from chipledger_testing.book import H100, NOW, declared, site_of
from chipledger_testing.door import Door, text_of
from chipledger_testing.scene import Scene

DAY = 86_400_000


def look(scene: Scene) -> None:
    """Look around now, and keep what is found."""
    connection = open_writer(scene.folder / "collector.sqlite")
    fold = fold_of(Config(), connection, SqliteSequenceStore(connection, scene.entropy))
    now = When(as_of_ms=scene.now_ms, known_at_ms=scene.now_ms)
    with scene.reads.snapshot() as snapshot:
        found = list(Lookout(snapshot, now, scene.measure).around((), lambda *_: None))
    connection.execute("BEGIN IMMEDIATE")
    for one in found:
        fold.facts.apply(one)
    connection.execute("COMMIT")
    connection.close()


def test_a_late_shipment_is_a_case_with_words(scene: Scene) -> None:
    """Its sentence counts chips, and says who should do what."""
    sent = ShipmentDeclared(
        occurred_at_ms=NOW - 40 * DAY,
        site="johor",
        lines=(ByCount(sku=H100, pieces=8),),
        shipper="maker",
    )
    scene.enter(declared(site_of("johor")), sent)
    look(scene)
    door = Door(scene)
    items = {one["type"]: one for one in door.read("/findings")["items"]}
    found = items["in-transit-late"]
    page = text_of(door.page(f"/findings/{found['id']}"))

    assert sorted(items) == ["in-transit-late", "late-event"]
    assert found["site"] == "johor"
    assert found["words"].startswith("8 chips (H100-SXM5-80GB: 8)")
    assert "To do" in found["words"]
    assert found["innocent"]
    assert found["words"] in page
