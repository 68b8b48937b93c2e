"""What is said of room: per licence line and ceiling, and never against the verdict."""

from hypothesis import given
from hypothesis import strategies as st

from chipledger_book.balance import Question, reconcile_all
from chipledger_book.events import DeclaredChip, DeclaredInventory, Event
from chipledger_book.licences import LicenceType
from chipledger_book.report import Authorisation, Physical, SiteReport
from chipledger_server.usecases.allowances import allowances
from chipledger_server.usecases.words import (
    PHYSICAL_WORDS,
    authorisation_reason,
    physical_reason,
    tpp_use,
)
from chipledger_server.web.charts import tpp_bar
from chipledger_testing.book import (
    NOW,
    TABLES,
    book_of,
    declared,
    licence,
    lpp,
    ms,
    pieces,
    received,
    report,
    site_of,
)


def sisters(*events: Event) -> dict[str, SiteReport]:
    """Return two sites of one parent; the LPP claim and the licence name only johor-1."""
    book = book_of(
        declared(site_of("johor-1")),
        declared(site_of("real-1")),
        licence("D-1", pieces(12), sites=("johor-1",)),
        licence("LPP-1", kind=LicenceType.LPP, sites=("johor-1",)),
        *events,
    )
    found = reconcile_all(book, [], TABLES, Question(as_of_ms=NOW))
    return {one.site: one for one in found.reports}


OVER = (
    received(16, site="johor-1", charged_to="D-1"),
    received(1699, site="johor-1", at=ms(2025, 3)),
    received(1, site="johor-1", at=ms(2025, 3), shipment="2"),
)
"""Four more than the licence has, and one chip more than the exception of 2025."""


def test_a_site_over_its_licence_reads_beyond_and_never_left() -> None:
    """The exception's fresh year is a line of its own, not room of the licence."""
    johor = sisters(*OVER)["johor-1"]

    assert johor.authorisation is Authorisation.EXCEEDED
    assert tpp_use(johor) == "63,328 TPP beyond what is allowed; 27,167,712 TPP held"
    assert authorisation_reason(johor) == (
        "4 chips H100-SXM5-80GB (63,328 TPP) beyond BIS D-1; "
        "LPP ceiling 2025 exceeded by 14,400 TPP"
    )
    assert {one.name: one.room for one in allowances(johor)} == {
        "BIS D-1": "4 pieces beyond",
        "BIS LPP-1": "counts against the ceiling",
        "LPP ceiling 2025": "14,400 TPP beyond, closed",
        "LPP ceiling 2026": "26,900,000 TPP left",
    }


def test_a_sister_outside_the_claim_has_no_room_and_no_trouble_of_its_own() -> None:
    """What the other site did is worded as the other site's."""
    sister = sisters(*OVER)["real-1"]

    assert tpp_use(sister) == "0 TPP held; nothing more is allowed here"
    assert {one.name: (one.about, one.room) for one in allowances(sister)} == {
        "LPP ceiling 2025": (
            "acme, used by johor-1",
            "14,400 TPP beyond, not for this site",
        ),
        "LPP ceiling 2026": ("acme", "not for this site"),
    }
    assert authorisation_reason(sister) == (
        "LPP ceiling 2025, used by johor-1, exceeded by 14,400 TPP"
    )


def test_a_shared_ceiling_is_said_to_be_shared() -> None:
    """Where both sites used it."""
    claim = licence("LPP-2", kind=LicenceType.LPP, sites=("real-1",))
    both = (received(1699, site="johor-1"), received(1, site="real-1"))

    assert authorisation_reason(sisters(claim, *both)["real-1"]) == (
        "LPP ceiling 2026, shared with johor-1, exceeded by 14,400 TPP"
    )


def test_one_allowance_says_its_room_and_several_say_no_sum_to_spend() -> None:
    """Each is only for its own chips."""
    one = report(book_of(declared(), licence("D-1", pieces(10)), received(4)))
    two = report(book_of(declared(), licence("D-1", pieces(10)), lpp()))

    assert tpp_use(one) == "63,328 TPP held; 94,992 TPP left under BIS D-1"
    assert tpp_use(two).startswith("0 TPP held; at most 27,058,320 TPP left under 2 allowances")


def test_chips_that_no_allowance_is_for_have_a_line() -> None:
    """So that the table adds up to what the verdict says."""
    found = report(book_of(declared(), received(3)))

    assert [(one.name, one.covers, one.room) for one in allowances(found)] == [
        ("no allowance", "H100-SXM5-80GB", "3 pieces beyond")
    ]


@given(st.integers(0, 20), st.integers(0, 20), st.sampled_from(("D-1", None)))
def test_left_is_said_only_within(amount: int, count: int, charged: str | None) -> None:
    """And beyond only where something is."""
    grants = [licence("D-1", pieces(amount))] if amount else []
    arrivals = [received(count, charged_to=charged if amount else None)] if count else []
    for claims in ([], [lpp()]):
        found = report(book_of(declared(), *grants, *claims, *arrivals))
        said = tpp_use(found)
        assert found.authorisation is Authorisation.WITHIN or "left" not in said
        assert (found.authorisation is not Authorisation.WITHIN) == ("beyond" in said)
        assert (found.tpp.beyond > 0) == any(one.beyond for one in allowances(found))


def test_only_declared_chips_are_said_to_be_compared_with_nothing() -> None:
    """In words, with their number."""
    paper = DeclaredInventory(
        occurred_at_ms=ms(2026),
        site="johor",
        label="node",
        source="nvidia-smi",
        chips=(DeclaredChip(name="NVIDIA H100 80GB HBM3"),) * 21,
    )
    found = report(book_of(declared(), paper))

    assert found.physical is Physical.NOTHING_TO_COMPARE
    assert PHYSICAL_WORDS[found.physical] == "no controlled chip was received or seen"
    assert physical_reason(found) == "21 chips declared, neither received nor seen"


def test_the_bar_of_a_site_beyond_shows_what_is_beyond() -> None:
    """Of what it holds; the room of other allowances does not make it small."""
    bar = tpp_bar(held=100, used=75, beyond=25, left=None)

    assert [(part.kind, part.width) for part in bar.segments] == [("used", 750), ("beyond", 250)]
    assert "no room" in tpp_bar(held=100, used=75, beyond=0, left=None).label
