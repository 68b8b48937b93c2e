"""Who is late, as a list of the API and as a page."""

import pytest

from chipledger_book.events import ByCount
from chipledger_book.movements import ShipmentDeclared
from chipledger_book.statements import Role as Party
from chipledger_book.watch import Owner, Wait, WaitKind
from chipledger_server.adapters.database import open_writer
from chipledger_server.adapters.facts_sqlite import SqliteFacts
from chipledger_server.usecases.access import Role
from chipledger_testing.book import H100, NOW, declared, site_of
from chipledger_testing.door import Door, text_of
from chipledger_testing.scene import Scene

DAY = 86_400_000
MANY = 130


def wait(key: str, *, due: int, site: str = "johor", done: int | None = None) -> Wait:
    """Return a wait for a receipt."""
    return Wait(
        kind=WaitKind.RECEIPT,
        site=site,
        event=None,
        chip=None,
        key=key,
        owner=Owner(role=Party.CONSIGNEE, party="acme"),
        since_ms=due - 30 * DAY,
        due_ms=due,
        done_ms=done,
        pieces=8,
    )


@pytest.fixture
def waiting(scene: Scene) -> Scene:
    """Two sites: one with a late, a running and an ended wait, and one whose wait is late."""
    scene.enter(declared(site_of("johor")), declared(site_of("kul")))
    connection = open_writer(scene.folder / "collector.sqlite")
    kept = SqliteFacts(connection)
    kept.put_waits(
        "site:johor",
        [
            wait("late", due=NOW - 3 * DAY),
            wait("running", due=NOW + DAY),
            wait("ended", due=NOW - 9 * DAY, done=NOW - 8 * DAY),
        ],
    )
    kept.put_waits("site:kul", [wait("kul", due=NOW - DAY, site="kul")])
    kept.looked_at("site:johor", NOW - 60_000)
    connection.close()
    return scene


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ({}, ["ended", "late", "kul", "running"]),
        ({"state": "overdue"}, ["late", "kul"]),
        ({"state": "running"}, ["late", "kul", "running"]),
        ({"state": "ended"}, ["ended"]),
        ({"site": "kul"}, ["kul"]),
        ({"owner": "acme", "state": "overdue"}, ["late", "kul"]),
        ({"owner": "consignee", "site": "johor", "state": "overdue"}, ["late"]),
        ({"owner": "vendor"}, []),
    ],
)
def test_waits_are_listed_by_when_they_are_due(
    query: dict[str, str], keys: list[str], waiting: Scene
) -> None:
    """With filters; what has ended is there as well."""
    found = Door(waiting).read("/waits", **query)

    assert [item["key"] for item in found["items"]] == keys
    assert found["looked_ms"] == NOW - 60_000


def test_how_late_somebody_is_is_said(waiting: Scene) -> None:
    """Until now while it lasts, until its end after that."""
    items = {one["key"]: one for one in Door(waiting).read("/waits")["items"]}

    assert items["late"]["late_ms"] == 3 * DAY
    assert items["ended"]["late_ms"] == DAY
    assert items["running"]["late_ms"] == 0
    assert items["late"]["words"] == "receive what was shipped"


def test_pages_follow_one_another(waiting: Scene) -> None:
    """Each item once, in one order."""
    door = Door(waiting)
    first = door.read("/waits", limit=3)
    second = door.read("/waits", limit=3, cursor=first["next"])

    keys = [one["key"] for one in (*first["items"], *second["items"])]
    assert keys == ["ended", "late", "kul", "running"]
    assert second["next"] is None


def test_nobody_sees_waits_of_sites_that_are_not_theirs(waiting: Scene) -> None:
    """Neither in the list nor by asking for the site."""
    door = Door(waiting)
    token = door.token(Role.OPERATOR, "kul")
    found = door.ask("/waits", token=token).json()

    assert [item["key"] for item in found["items"]] == ["kul"]
    assert door.refused("/waits", token=token, site="johor")[0] == 403


def test_what_waited_at_another_time_is_computed_from_the_ledger(scene: Scene) -> None:
    """As of a day; what was recorded later plays no part."""
    sent = ShipmentDeclared(
        occurred_at_ms=NOW - 40 * DAY,
        site="johor",
        lines=(ByCount(sku=H100, pieces=8),),
        shipper="maker",
    )
    scene.enter(declared(site_of("johor")), sent)
    door = Door(scene)
    now = door.read("/sites/johor/waits")["items"]
    then = door.read("/sites/johor/waits", as_of=NOW - 20 * DAY)["items"]
    unknown = door.read("/sites/johor/waits", known_at=NOW - 1)["items"]

    assert [(one["kind"], one["late_ms"] > 0) for one in now] == [("receipt", True)]
    assert [(one["kind"], one["late_ms"] > 0) for one in then] == [("receipt", False)]
    assert unknown == []


def test_the_page_says_who_must_do_what(waiting: Scene) -> None:
    """And since when the list is so."""
    said = text_of(Door(waiting).page("/late?state=overdue"))

    assert "acme" in said
    assert "receive what was shipped" in said
    assert "3 d" in said
    assert "running" not in said.split("Because of")[1]


def test_a_long_list_has_a_next_page(scene: Scene) -> None:
    """A hundred a page."""
    connection = open_writer(scene.folder / "collector.sqlite")
    many = [wait(f"k{number:03d}", due=NOW + number) for number in range(MANY)]
    SqliteFacts(connection).put_waits("site:johor", many)
    connection.close()
    door = Door(scene)
    first = door.page("/late").text
    (more,) = {part.split('"')[0] for part in first.split('href="') if "behind=" in part}
    second = door.page(more.replace("&amp;", "&")).text

    assert "k099" in first
    assert "k100" not in first
    assert "k100" in second
    assert f"k{MANY - 1}" in second


@pytest.mark.parametrize("query", ["state=none", "behind=x", "behind=1.2"])
def test_bad_questions_are_refused(query: str, scene: Scene) -> None:
    """With a reason, and no page of everything."""
    assert Door(scene).page(f"/late?{query}").status_code == 400


def test_before_the_first_round_the_page_says_so(scene: Scene) -> None:
    """An empty list would read as if nobody were late."""
    assert "Not looked at yet" in text_of(Door(scene).page("/late"))
