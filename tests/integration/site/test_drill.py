"""Sites brought together, and what stands behind a number, over the API and on the pages."""

import pytest

from chipledger_book.events import Correction, event_id
from chipledger_server.usecases.access import Role
from chipledger_testing.book import H100, NOW, declared, ms, party, received, site_of
from chipledger_testing.door import Door
from chipledger_testing.hosts import chip_of
from chipledger_testing.scene import HOUR, Scene

START = ms(2026, 3, 2)
GONE = received(4, at=ms(2026, 2))


@pytest.fixture
def two_sites(scene: Scene) -> Scene:
    """Return two sites of one parent: one lacks four chips, the other has four too many."""
    owner = party()
    scene.enter(declared(site_of("johor", owner=owner)), declared(site_of("muar", owner=owner)))
    scene.enter(received(4), GONE, received(4, site="muar"))
    for site, letters in (("johor", "a"), ("muar", "bc")):
        for letter in letters:
            host = scene.host(site, letter, at=START)
            scene.seen(host, *(chip_of(letter, index) for index in range(4)), since=START)
    return scene


@pytest.mark.usefixtures("two_sites")
def test_a_hole_is_never_filled_by_an_overage_elsewhere(door: Door) -> None:
    """Twelve are booked and twelve present; four are missing and four are over all the same."""
    (group,) = door.read("/rollups", by="parent")["items"]
    (row,) = group["rows"]

    assert (group["key"], group["sites"]) == ("acme", ["johor", "muar"])
    assert (row["book"], row["present"]["G1"]) == (12, 12)
    assert (row["unaccounted"], row["overage"]) == (4, 4)
    assert (row["sites_unaccounted"], row["sites_over"]) == (1, 1)
    assert group["physical"] == {"overage": 1, "unaccounted": 1}


@pytest.mark.usefixtures("two_sites")
def test_a_reader_of_one_site_is_told_that_others_are_left_out(door: Door) -> None:
    """What may not be seen is in no number, and that is said."""
    found = door.ask("/rollups", token=door.token(Role.OPERATOR, "johor")).json()

    assert [group["sites"] for group in found["items"]] == [["johor"]]
    assert found["sites_left_out"] is True


@pytest.mark.usefixtures("two_sites")
def test_a_roll_up_by_something_else_is_refused(door: Door) -> None:
    """The problem names what sites can be brought together by."""
    assert door.refused("/rollups", by="colour") == (400, "invalid-parameter")
    assert "parent, operator, consignee, country" in door.ask("/rollups", by="colour").text


@pytest.mark.usefixtures("two_sites")
def test_behind_the_book_stand_its_receipts(door: Door) -> None:
    """Each with its pieces, and in words."""
    found = door.read("/sites/johor/balance/behind", sku=H100, column="book")

    assert found["part"]["pieces"] == 8
    assert [part["pieces"] for part in found["part"]["events"]] == [4, 4]
    assert event_id(GONE) in {event["id"] for event in found["events"]}


@pytest.mark.usefixtures("two_sites")
def test_behind_an_overage_stand_chips_that_fill_nothing(door: Door) -> None:
    """Named, with their hosts."""
    found = door.read("/sites/muar/balance/behind", sku=H100, column="overage")

    assert [chip["fills"] for chip in found["part"]["chips"]] == [None] * 4


@pytest.mark.usefixtures("two_sites")
@pytest.mark.parametrize(
    ("sku", "column", "refusal"),
    [
        (H100, "licensed_pieces", (400, "invalid-parameter")),
        ("NO-SUCH", "book", (400, "invalid-parameter")),
    ],
)
def test_behind_nothing_there_is_nothing(
    door: Door, sku: str, column: str, refusal: tuple[int, str]
) -> None:
    """A column or a row that there is not is a problem, never an empty answer."""
    status, code = door.refused("/sites/johor/balance/behind", sku=sku, column=column)

    assert (status, code) == refusal


def test_a_late_event_changes_what_was_true_and_not_what_was_known(
    two_sites: Scene, door: Door
) -> None:
    """A correction recorded an hour later: true for every `as_of`, unknown before."""
    before = two_sites.now_ms
    two_sites.now_ms += HOUR
    undo = Correction(occurred_at_ms=NOW, corrects=event_id(GONE), reason="typing error")
    two_sites.enter(undo)
    two_sites.agree(undo)

    def book(**times: int) -> int:
        part = door.read("/sites/johor/balance/behind", sku=H100, column="book", **times)["part"]
        (group,) = door.read("/rollups", by="country", **times)["items"]
        return int(part["pieces"]) * 100 + int(group["rows"][0]["book"])

    assert book() == 4_08
    assert book(as_of=before) == 4_08
    assert book(known_at=before) == 8_12


@pytest.mark.usefixtures("two_sites")
def test_every_number_of_the_table_leads_to_a_page(door: Door) -> None:
    """The page of a hole names its receipts; that of what is present names its chips."""
    site = door.page("/sites/johor").text
    assert "/sites/johor/behind?sku=H100-SXM5-80GB&amp;column=unaccounted" in site

    hole = door.page(f"/sites/johor/behind?sku={H100}&column=unaccounted").text
    assert "On the book and unaccounted for at johor" in hole
    assert "/events/" in hole
    assert "/chips/" in door.page(f"/sites/johor/behind?sku={H100}&column=G1").text


@pytest.mark.usefixtures("two_sites")
def test_the_page_of_sites_together_says_both_differences(door: Door) -> None:
    """Each with the number of its sites."""
    for by in ("parent", "operator", "consignee", "country"):
        page = door.page(f"/rollups?by={by}").text
        assert page.count("at 1 site") == 2
