"""Quantities, limits and shapes of deceit that show over a site or a group of them."""

from datetime import date

from msgspec.structs import replace

from chipledger_book.events import ByUnit, Event, LicenceGranted, Received, event_id
from chipledger_book.movements import ExternalRecord, PhysicalInventory, ShipmentDeclared
from chipledger_book.parties import Site
from chipledger_book.terms import Severity
from chipledger_book.timers import Timer
from chipledger_book.watch import Fact, FactKind, WaitKind, watch_unclaimed
from chipledger_testing.book import declared, licence, lpp, ms, party, pieces, received, site_of
from chipledger_testing.movements import leaving, named, of
from chipledger_testing.watching import Story, days, limit_ms, stays

MARCH = ms(2026, 3)
LATER = ms(2026, 12)


def receipt(number: int, *, site: str = "johor", at: int = MARCH, to: str = "") -> Received:
    """Return a receipt that claims the exception, or draws on a licence."""
    return received(number, site=site, at=at, charged_to=to or None)


def of_kind(story: Story, kind: FactKind, at: int = LATER) -> list[Fact]:
    """Return the facts of a kind over the group."""
    return [fact for fact in story.in_group(at).facts if fact.kind is kind]


def test_a_ceiling_is_near_at_nine_tenths_and_exceeded_beyond_its_limit() -> None:
    """26.9 million TPP: 1530 H100 are near, 1529 are not, 1699 are within, 1700 are not."""
    assert of_kind(Story(events=(receipt(1529),)), FactKind.CAP_NEAR) == []
    (near,) = of_kind(Story(events=(receipt(1530),)), FactKind.CAP_NEAR)
    assert (near.key, near.severity) == ("lpp:acme:2026", Severity.LOW)
    within = Story(events=(receipt(1699),))
    assert of_kind(within, FactKind.CAP_EXCEEDED) == []
    beyond = Story(events=(receipt(1700),))
    (exceeded,) = of_kind(beyond, FactKind.CAP_EXCEEDED)
    assert (exceeded.key, exceeded.tpp) == (near.key, 1700 * 15832 - 26_900_000)
    assert exceeded.severity is Severity.HIGH
    assert of_kind(beyond, FactKind.CAP_NEAR) == []


def test_a_licence_line_is_near_and_chips_beyond_it_are_said_at_their_site() -> None:
    """A licence for ten: nine are near, an eleventh is beyond."""
    grant = licence("D-9", pieces(10), days=(date(2025, 1, 1), date(2035, 1, 1)))
    story = Story(events=(grant, receipt(9, to="D-9")))
    assert [fact.key for fact in of_kind(story, FactKind.CAP_NEAR)] == [
        "BIS:D-9:2025-01-01:H100-SXM5-80GB"
    ]
    over = Story(events=(grant, receipt(11, to="D-9")))
    fact = over.fact(FactKind.CAP_EXCEEDED, LATER)
    assert (fact.site, fact.pieces) == ("johor", 1)


def test_chips_that_nothing_allows_are_said() -> None:
    """A consignee without any claim or licence."""
    other = site_of("gulf", country="AE", owner=party("other", "AE"))
    story = Story(events=(declared(other), receipt(4, site="gulf")))

    (fact,) = (
        one for one in story.at_site(LATER, "gulf").facts if one.kind is FactKind.NOT_AUTHORISED
    )
    assert (fact.pieces, fact.severity) == (4, Severity.HIGH)


def ending(number: str, first: date, last: date) -> LicenceGranted:
    """Return the grant of a licence of a consignee."""
    return licence(number, pieces(10), days=(first, last))


def test_a_licence_that_ends_is_said_sixty_days_before_until_it_ends() -> None:
    """And not while another one goes on after it."""
    first = ending("D-1", date(2026, 1, 1), date(2026, 8, 31))
    story = Story(events=(first,))
    end = ms(2026, 9)

    def said(at: int, story: Story = story) -> int:
        return len(of_kind(story, FactKind.LICENCE_EXPIRING, at))

    assert [said(at) for at in (end - days(60) - 1, end - days(60), end - 1, end)] == [0, 1, 1, 0]
    renewed = Story(events=(first, ending("D-2", date(2026, 8, 1), date(2027, 8, 1))))
    assert said(end - days(10), renewed) == 0


def subsidiary(name: str) -> Site:
    """Return a site of a consignee of its own, of one ultimate parent."""
    return replace(site_of(name), consignee=party(f"{name}-ltd"), operator=party(f"{name}-ltd"))


def group(*numbers: int) -> Story:
    """Return a story of subsidiaries that received some chips each, each with its claim."""
    events: list[Event] = []
    for place, number in enumerate(numbers):
        name = f"site-{place}"
        claim = lpp(consignee=f"{name}-ltd")
        grant = replace(claim, licence=replace(claim.licence, number=f"LPP-{name}"))
        events += [declared(subsidiary(name)), grant, receipt(number, site=name)]
    return Story(events=tuple(events))


def structured(story: Story, at: int = LATER) -> list[Fact]:
    """Return the facts of structuring."""
    return of_kind(story, FactKind.STRUCTURING, at)


def test_consignees_of_one_parent_each_just_under_the_limit_are_said() -> None:
    """Two at nine tenths or more of it, none beyond; not one, and not two that are far from it."""
    (fact,) = structured(group(1600, 1550))
    assert (fact.subject, fact.detail["shape"]) == ("acme", "consignees")
    assert fact.severity is Severity.HIGH
    assert structured(group(1600, 900)) == []
    assert structured(group(1529, 1529)) == []
    assert structured(group(1699, 1700)) == []


def servers(number: int, at: int, to: str = "") -> Received:
    """Return the receipt of some eight-chip servers."""
    serials = tuple(f"S{at}-{place}" for place in range(number))
    return received(ByUnit(model="HGX-H100-8", serials=serials), at=at, charged_to=to or None)


def test_shipments_that_each_stay_just_under_the_notice_are_said() -> None:
    """Twenty-five servers are 3,166,400 TPP of 3,200,000: three such within a quarter."""
    times = (MARCH, MARCH + days(20), MARCH + days(40))
    (fact,) = structured(Story(events=tuple(servers(25, at) for at in times)))
    assert (fact.detail["shape"], fact.pieces) == ("shipments", 600)

    assert structured(Story(events=tuple(servers(25, at) for at in times[:2]))) == []
    assert structured(Story(events=tuple(servers(22, at) for at in times))) == []
    assert structured(Story(events=tuple(servers(26, at) for at in times))) == []
    apart = (MARCH, MARCH + days(50), MARCH + limit_ms(Timer.STRUCTURING, MARCH) + 1)
    assert structured(Story(events=tuple(servers(25, at) for at in apart))) == []


def test_shipments_under_a_licence_need_no_notice() -> None:
    """An honest operator orders twenty-five servers as often as its licence allows."""
    grant = licence("D-9", pieces(1000), days=(date(2025, 1, 1), date(2035, 1, 1)))
    times = (MARCH, MARCH + days(20), MARCH + days(40))

    assert structured(Story(events=(grant, *(servers(25, at, "D-9") for at in times)))) == []


RECORDED = ExternalRecord(
    occurred_at_ms=MARCH,
    source="customs",
    feed="my-customs",
    reference="K1-77",
    lines=of(8),
    consignee="acme",
    country="MY",
)
UNMATCHED = MARCH + limit_ms(Timer.EXTERNAL, MARCH)


def test_an_import_that_no_receipt_has_is_said_after_its_time() -> None:
    """Customs saw eight, the ledger has six of them: two, for the consignee to explain."""
    story = Story(events=(RECORDED, receipt(6)))

    assert of_kind(story, FactKind.RECEIPT_UNMATCHED, UNMATCHED) == []
    (fact,) = of_kind(story, FactKind.RECEIPT_UNMATCHED, UNMATCHED + 1)
    assert (fact.pieces, fact.owner.party, fact.severity) == (2, "acme", Severity.HIGH)
    assert fact.detail["reference"] == "K1-77"


def test_what_customs_and_the_seller_both_recorded_is_one_delivery() -> None:
    """Each feed is compared by itself, and a shipment on its way is an answer too."""
    seller = replace(RECORDED, source="seller", feed="vendor-x")
    on_the_way = ShipmentDeclared(
        occurred_at_ms=MARCH, site="penang", lines=of(2), shipper="vendor-x"
    )
    story = Story(events=(RECORDED, seller, receipt(6), on_the_way))

    assert of_kind(story, FactKind.RECEIPT_UNMATCHED, UNMATCHED + 1) == []


def test_a_delivery_counts_once_although_declared_and_received() -> None:
    """Eight recorded, four of them shipped and received: four are not there."""
    sent = ShipmentDeclared(occurred_at_ms=MARCH, site="johor", lines=of(4), shipper="vendor-x")
    came = replace(receipt(4, at=MARCH + 1), answers=event_id(sent))
    story = Story(events=(RECORDED, sent, came))

    (fact,) = of_kind(story, FactKind.RECEIPT_UNMATCHED, UNMATCHED + 1)
    assert fact.pieces == 4


def test_serials_are_compared_where_both_sides_have_them() -> None:
    """Two chips by name: one was received, the other is what no paper has."""
    record = replace(RECORDED, lines=named(1, 2))
    story = Story(events=(record, received(*named(1)), receipt(5, site="penang")))
    other = Story(events=(record, received(*named(1, 3))))

    assert of_kind(story, FactKind.RECEIPT_UNMATCHED, UNMATCHED + 1) == []
    (fact,) = of_kind(other, FactKind.RECEIPT_UNMATCHED, UNMATCHED + 1)
    assert fact.pieces == 1


def test_a_record_for_nobody_in_the_ledger_is_said_apart() -> None:
    """A shell company has no site here; what customs saw of it is in no group."""
    story = Story(events=(replace(RECORDED, consignee="shell"),))
    at = UNMATCHED + 1

    assert of_kind(story, FactKind.RECEIPT_UNMATCHED, at) == []
    found = watch_unclaimed(story.scene(at), story.measure(at), at)
    assert [fact.subject for fact in found.facts] == ["shell"]
    known = watch_unclaimed(Story(events=(RECORDED,)).scene(at), story.measure(at), at)
    assert known.facts == ()


INSPECTED = ms(2026, 6, 15)
COUNT = PhysicalInventory(
    occurred_at_ms=INSPECTED, site="johor", inspector="A. Uditor", method="full"
)
OWN = stays(range(8), ms(2026, 3, 2))


def visit(before: int, after: int) -> Story:
    """Return a site of eight that showed eight more around an inspection."""
    borrowed = stays(range(8, 16), INSPECTED - days(before), INSPECTED + days(after))
    return Story(events=(receipt(16), COUNT), history=(*OWN, *borrowed))


def test_chips_that_are_there_only_around_an_inspection_are_borrowed() -> None:
    """Said once they have been away for longer than a chip may be, and never before."""
    story, gone = visit(3, 2), INSPECTED + days(2)
    limit = gone + limit_ms(Timer.ABSENCE, gone)

    assert story.facts(FactKind.BORROWED_HARDWARE, limit) == ()
    fact = story.fact(FactKind.BORROWED_HARDWARE, limit + 1)
    assert (fact.pieces, fact.events) == (8, (event_id(COUNT),))
    assert fact.severity is Severity.HIGH


def test_chips_that_came_long_before_or_stayed_long_after_are_not_borrowed() -> None:
    """Fourteen days before and after are close; fifteen are not."""
    for before, after, said in ((14, 14, 1), (15, 2, 0), (3, 15, 0)):
        found = visit(before, after).facts(FactKind.BORROWED_HARDWARE, ms(2026, 9))
        assert len(found) == said


def test_chips_that_come_for_every_inspection_are_borrowed_each_time() -> None:
    """Two counts three months apart, the same chips at both and never between."""
    second = replace(COUNT, occurred_at_ms=ms(2026, 9, 15))
    again = stays(range(8, 16), ms(2026, 9, 12), ms(2026, 9, 17))
    story = visit(3, 2)
    both = Story(events=(*story.events, second), history=(*story.history, *again))

    assert len(both.facts(FactKind.BORROWED_HARDWARE, LATER)) == 2


def test_chips_that_left_with_papers_after_a_count_are_not_borrowed() -> None:
    """New chips came, were counted and were transferred by name."""
    out = replace(leaving(8, at=INSPECTED + days(2)), lines=named(*range(8, 16)))
    story = visit(3, 2)

    papered = Story(events=(*story.events, out), history=story.history)
    assert papered.facts(FactKind.BORROWED_HARDWARE, LATER) == ()


def shuttle(*events: Event) -> Story:
    """Return eight chips that are at Johor, then at Penang, then at Johor again."""
    turns = (
        *stays(range(8), MARCH, MARCH + days(7)),
        *stays(range(8), MARCH + days(8), MARCH + days(15), site="penang"),
        *stays(range(8), MARCH + days(16)),
    )
    return Story(
        events=(receipt(8), receipt(8, site="penang", at=MARCH + 1), *events), history=turns
    )


def test_chips_that_go_to_another_site_and_back_are_shuttled() -> None:
    """One set of chips for two sets of papers: said when papers of the way back are late."""
    back = MARCH + days(16)
    limit = back + limit_ms(Timer.ELSEWHERE, back)

    assert of_kind(shuttle(), FactKind.SHUTTLED, limit) == []
    (fact,) = of_kind(shuttle(), FactKind.SHUTTLED, limit + 1)
    assert (fact.key, fact.pieces, fact.detail["changes"]) == ("johor:penang", 8, 16)
    assert fact.severity is Severity.HIGH


def test_chips_that_go_and_come_with_papers_are_not_shuttled() -> None:
    """Transfers by name, or by number as many as went."""
    for lines in (of(8), named(*range(8))):
        out = replace(leaving(8, at=MARCH + days(7)), lines=lines)
        home = replace(out, occurred_at_ms=MARCH + days(15), site="penang", to_site="johor")
        assert of_kind(shuttle(out, home), FactKind.SHUTTLED) == []


def test_the_wait_for_an_outsiders_record_is_the_consignees() -> None:
    """It stands in the list of who is late."""
    wait = Story(events=(RECORDED,)).wait(WaitKind.EXTERNAL, UNMATCHED + 1)

    assert (wait.pieces, wait.overdue(UNMATCHED + 1), wait.owner.party) == (8, True, "acme")
