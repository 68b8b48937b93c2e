"""The physical verdict: book against what was seen, chip by chip where identities are known."""

import pytest
from msgspec.structs import replace

from chipledger_book.balance import Question, reconcile_all
from chipledger_book.catalogue import ObservedModel
from chipledger_book.errors import BookError, Code
from chipledger_book.events import (
    ByBoard,
    ByChip,
    ByCount,
    ByUnit,
    ChipRef,
    Correction,
    DeclaredChip,
    DeclaredInventory,
    event_id,
)
from chipledger_book.ledger import fold
from chipledger_book.physical import ChipState, SeenChip
from chipledger_book.report import Physical
from chipledger_evidence.appraisal.grades import Grade
from chipledger_testing.book import (
    GB200,
    H100,
    H200,
    NOW,
    T4,
    TABLES,
    book_of,
    chip,
    chips,
    declared,
    lpp,
    ms,
    received,
    record,
    report,
    row,
    site_of,
    uuid,
)

SILENT, DISPUTED = ChipState.SILENT, ChipState.DISPUTED


def by_pdi(*numbers: int) -> ByChip:
    """Return a line of chips known by PDI alone."""
    return ByChip(sku=H100, chips=tuple(ChipRef(pdi=f"{number:016x}") for number in numbers))


def paper(
    at: int,
    label: str,
    listed: int,
    *,
    name: str = "NVIDIA H100 80GB HBM3",
    virtual: bool = False,
) -> DeclaredInventory:
    """Return the paper of a machine that lists so many chips."""
    return DeclaredInventory(
        occurred_at_ms=at,
        site="johor",
        label=label,
        source="nvidia-smi",
        chips=(DeclaredChip(name=name, virtual=virtual),) * listed,
    )


def test_what_is_received_and_seen_agrees() -> None:
    """Eight received, eight self-reported: nothing unaccounted, nothing over."""
    found = report(book_of(declared(), received(8)), chips(range(8)))

    assert found.physical is Physical.AGREES
    assert (row(found).book, row(found).present.G1, row(found).matched_by_count) == (8, 8, 8)
    assert (row(found).book_tpp, row(found).present_tpp) == (126_656, 126_656)


def test_a_licence_creates_no_book() -> None:
    """What was allowed is not what is there."""
    found = report(book_of(declared(), lpp()))

    assert found.rows == ()
    assert found.physical is Physical.NOTHING_TO_COMPARE


def test_a_received_server_that_never_attests_is_unaccounted() -> None:
    """By name: the hole says which receipt and which serial."""
    receipt = received(ByUnit(model="HGX-H100-8", serials=("S1", "S2")))
    found = report(book_of(declared(), receipt), chips(range(8)))

    assert found.physical is Physical.UNACCOUNTED
    assert row(found).unaccounted == 8
    assert row(found).unaccounted_tpp == 126_656
    assert [(hole.event, hole.names, hole.chips) for hole in found.holes] == [
        (event_id(receipt), {"server": "S2"}, 8)
    ]


def test_chips_that_nobody_received_are_over() -> None:
    """They are listed with the host they were seen on."""
    found = report(book_of(declared(), received(8)), chips(range(10)))

    assert found.physical is Physical.OVERAGE
    assert row(found).overage == 2
    assert {one.chip for one in found.off_book} <= {one.chip_id for one in chips(range(10))}
    assert len(found.off_book) == 2


def test_one_model_over_never_fills_the_hole_of_another() -> None:
    """Equal TPP, equal number, other chips: both sides stand."""
    seen = chips(range(8), sku=H200)
    found = report(book_of(declared(), received(8)), seen)

    assert found.physical is Physical.BOTH
    assert (row(found, H100).unaccounted, row(found, H100).overage) == (8, 0)
    assert (row(found, H200).unaccounted, row(found, H200).overage) == (0, 8)


def test_one_chip_never_fills_the_place_of_another_of_the_same_model() -> None:
    """Received by PDI: a stranger is over, and the chip that is gone is unaccounted for."""
    found = report(book_of(declared(), received(by_pdi(1, 2, 3))), chips([1, 2, 9]))

    assert found.physical is Physical.BOTH
    assert (row(found).unaccounted, row(found).overage) == (1, 1)
    assert found.holes[0].names == {"pdi": f"{3:016x}"}
    assert [one.chip for one in found.off_book] == ["chip-0009"]


def test_the_pdi_decides_over_a_uuid_that_differs() -> None:
    """The strongest name both sides have is the one that counts."""
    line = ByChip(sku=H100, chips=(ChipRef(pdi=f"{1:016x}", uuid=uuid(77)),))
    found = report(book_of(declared(), received(line)), [chip(1)])

    assert found.physical is Physical.AGREES
    assert row(found).matched_by_identity == 1


def test_the_same_board_with_another_chip_is_another_chip() -> None:
    """A board serial does not outweigh PDIs that differ."""
    line = ByChip(sku=H100, chips=(ChipRef(pdi=f"{1:016x}", serial="B1"),))
    found = report(book_of(declared(), received(line)), [chip(9, board="B1")])

    assert found.physical is Physical.BOTH


def test_a_board_that_is_partly_identified_takes_no_more_than_the_rest_by_count() -> None:
    """One chip by serial and one without names fill a board of two; a second is over."""
    receipt = received(ByBoard(sku=GB200, serials=("B1",)))
    seen = [chip(1, sku=GB200, board="B1"), *chips((2, 3), sku=GB200, named=False)]
    line = row(report(book_of(declared(), receipt), seen), GB200)

    assert (line.matched_by_identity, line.matched_by_count) == (1, 1)
    assert (line.unaccounted, line.overage) == (0, 1)


def test_a_uuid_serves_where_an_old_driver_gives_no_pdi() -> None:
    """Names of the other side that are missing are no contradiction."""
    line = ByChip(sku=H100, chips=(ChipRef(pdi=f"{1:016x}", uuid=uuid(1)),))
    found = report(book_of(declared(), received(line)), [chip(1, pdi=False)])

    assert row(found).matched_by_identity == 1


def test_sides_without_a_common_name_are_matched_by_count_and_say_so() -> None:
    """Received by PDI, seen without one: a number, not an identity."""
    found = report(book_of(declared(), received(by_pdi(1))), [chip(1, pdi=False)])

    assert found.physical is Physical.AGREES
    assert (row(found).matched_by_identity, row(found).matched_by_count) == (0, 1)


def test_identified_chips_are_matched_before_counted_ones() -> None:
    """A count takes what identity leaves, not what identity needs."""
    receipt = received(ByCount(sku=H100, pieces=1), by_pdi(1))
    found = report(book_of(declared(), receipt), chips([1, 2]))

    assert found.physical is Physical.AGREES
    assert (row(found).matched_by_identity, row(found).matched_by_count) == (1, 1)


def test_count_matching_finds_a_full_assignment_when_there_is_one() -> None:
    """The chip that only one line can take is not displaced by one that any line can take."""
    receipt = received(by_pdi(1), ByUnit(model="HGX-H100-4", serials=("S1",)))
    with_server = [
        SeenChip(
            chip_id=f"a{number}",
            site="johor",
            host="h",
            grade=Grade.G1,
            state=ChipState.PRESENT,
            sku=H100,
            uuid=uuid(number),
            server="S9",
        )
        for number in range(1)
    ]
    found = report(book_of(declared(), receipt), [*with_server, *chips(range(4), pdi=False)])

    assert found.physical is Physical.AGREES


def test_a_chip_that_is_listed_twice_is_one_chip() -> None:
    """Two devices of one identity fill one place, in the strongest state that either has."""
    book = book_of(declared(), received(by_pdi(1, 2)))
    found = report(book, [chip(1), chip(1), chip(2, state=DISPUTED), chip(2)])
    line = row(found)

    assert (line.book, line.present.total, line.matched_by_identity) == (2, 2, 2)
    assert (line.disputed, line.unaccounted, line.overage) == (0, 0, 0)


def test_an_empty_name_is_no_name() -> None:
    """A driver that answers an empty serial does not say that it is another board."""
    receipt = received(ByBoard(sku=H100, serials=("B1",)))
    line = row(report(book_of(declared(), receipt), [replace(chip(1), board="")]))

    assert (line.matched_by_count, line.unaccounted, line.overage) == (1, 0, 0)


def test_a_gb200_board_serial_holds_two_chips() -> None:
    """Two chips with one serial fill one board; a third would be over."""
    receipt = received(ByBoard(sku=GB200, serials=("B1", "B2")))
    seen = [chip(number, sku=GB200, board="B1") for number in (1, 2)]
    seen += [chip(number, sku=GB200, board="B2") for number in (3, 4)]
    book = book_of(declared(), receipt)

    assert row(report(book, seen), GB200).book == 4
    assert report(book, seen).physical is Physical.AGREES
    third = chip(5, sku=GB200, board="B1")
    assert row(report(book, [*seen, third]), GB200).overage == 1


def test_a_server_serial_that_is_seen_matches_by_identity() -> None:
    """Chips in another server do not fill a named one."""
    receipt = received(ByUnit(model="HGX-H100-8", serials=("S1",)))

    def in_server(serial: str) -> list[SeenChip]:
        return [
            SeenChip(
                chip_id=f"{serial}-{number}",
                site="johor",
                host="h",
                grade=Grade.G1,
                state=ChipState.PRESENT,
                sku=H100,
                uuid=uuid(number),
                server=serial,
            )
            for number in range(8)
        ]

    book = book_of(declared(), receipt)
    assert row(report(book, in_server("S1"))).matched_by_identity == 8
    assert report(book, in_server("S2")).physical is Physical.BOTH


def test_silence_is_neither_present_nor_gone_and_never_agrees() -> None:
    """A silent host's chips have a column of their own."""
    seen = [*chips(range(4)), *chips(range(4, 8), state=SILENT)]
    found = report(book_of(declared(), received(8)), seen)

    assert found.physical is Physical.UNRESOLVED
    assert (row(found).present.total, row(found).silent, row(found).unaccounted) == (4, 4, 0)


def test_an_overage_does_not_vanish_by_falling_silent() -> None:
    """Switching the surplus off leaves it over."""
    seen = [*chips(range(8)), *chips(range(8, 12), state=SILENT)]
    found = report(book_of(declared(), received(8)), seen)

    assert found.physical is Physical.OVERAGE
    assert (row(found).overage, row(found).silent_off_book) == (0, 4)


def test_a_disputed_claim_counts_nowhere() -> None:
    """It does not fill the book, and it is no surplus."""
    seen = [*chips(range(7)), chip(7, state=DISPUTED), chip(8, state=DISPUTED)]
    found = report(book_of(declared(), received(8)), seen)

    assert found.physical is Physical.UNRESOLVED
    line = row(found)
    assert (line.present.total, line.disputed, line.disputed_off_book) == (7, 1, 1)
    assert (line.overage, line.seen) == (0, 7)


def test_present_is_a_stack_of_grades() -> None:
    """Each grade stands for itself; the total is their sum."""
    grades = [Grade.G1, Grade.G1, Grade.G2, Grade.G3, Grade.G4]
    seen = [chip(number, grade=grade) for number, grade in enumerate(grades)]
    stack = row(report(book_of(declared(), received(5)), seen)).present

    assert (stack.G1, stack.G2, stack.G3, stack.G4, stack.total) == (2, 1, 1, 1, 5)


def test_declared_is_no_grade_of_a_seen_chip() -> None:
    """G0 enters by an event, never by a sighting."""
    with pytest.raises(ValueError, match="G1 or better"):
        chip(1, grade=Grade.G0)


def test_declared_fills_no_hole() -> None:
    """A document that lists the missing chips leaves them missing."""
    paper = DeclaredInventory(
        occurred_at_ms=NOW,
        site="johor",
        label="node-1",
        source="nvidia-smi",
        chips=(DeclaredChip(name="NVIDIA H100 80GB HBM3"),) * 8,
    )
    found = report(book_of(declared(), received(8), paper))

    assert (row(found).declared, row(found).unaccounted) == (8, 8)
    assert found.physical is Physical.UNACCOUNTED


def test_the_newest_declaration_of_a_machine_holds() -> None:
    """Two documents of one machine are not two machines; chips of a vGPU guest are none."""
    book = book_of(
        declared(),
        paper(ms(2026, 1), "node-1", 8),
        paper(ms(2026, 2), "node-1", 7),
        paper(ms(2026, 2), "node-2", 8),
        paper(ms(2026, 2), "guest", 2, virtual=True),
    )

    assert row(report(book)).declared == 15
    assert row(report(book, at=ms(2026, 1, 15))).declared == 8


def test_an_unknown_model_is_over_and_never_zero() -> None:
    """It has its own list with what was observed; it is not in any row."""
    odd = ObservedModel(device="ffff10de", name="NVIDIA Graphics Device")
    found = report(book_of(declared()), chips(range(3), sku=None, model=odd))

    assert found.rows == ()
    assert found.physical is Physical.OVERAGE
    model = found.unknown_models[0]
    assert (model.observed, model.reason) == (odd, "not-in-catalogue")
    assert (model.present.G1, len(model.chips)) == (3, 3)


def test_a_contradicting_name_is_a_doubt_beside_the_count() -> None:
    """The chip counts as what its PCI ids say, and the report says who disagrees."""
    liar = ObservedModel(device="232410de", subsystem="17a610de", name="NVIDIA H100 80GB HBM3")
    found = report(book_of(declared()), [chip(1, sku=None, model=liar)])

    assert [(one.chip, one.sku) for one in found.model_doubts] == [("chip-0001", "H800-SXM5-80GB")]


def test_uncontrolled_chips_have_rows_and_no_say() -> None:
    """A T4 nobody received is shown, and does not make the site's verdict."""
    found = report(book_of(declared(), received(1)), [chip(1), chip(2, sku=T4)])

    assert row(found, T4).verdict is Physical.OVERAGE
    assert found.physical is Physical.AGREES


def test_an_empty_site_has_nothing_to_compare() -> None:
    """Agreement is said only where something was held against something."""
    found = report(book_of(declared()))

    assert (found.rows, found.physical) == ((), Physical.NOTHING_TO_COMPARE)


def test_what_is_only_declared_is_nothing_to_compare() -> None:
    """Neither for the row nor for the site: papers were not held against the book."""
    found = report(book_of(declared(), paper(ms(2026), "host", 8)))

    assert (row(found).declared, row(found).verdict) == (8, Physical.NOTHING_TO_COMPARE)
    assert found.physical is Physical.NOTHING_TO_COMPARE


def test_a_declared_model_beside_one_that_agrees_takes_nothing_from_it() -> None:
    """The site agrees where something was compared and nothing is wrong."""
    other = paper(ms(2026), "host", 8, name="NVIDIA H200")
    found = report(book_of(declared(), received(1), other), [chip(1)])

    assert found.physical is Physical.AGREES


def test_uncontrolled_chips_alone_are_nothing_to_compare_for_the_site() -> None:
    """They have no say, so they do not say that anything agrees."""
    found = report(book_of(declared(), received(ByCount(sku=T4, pieces=1))), [chip(1, sku=T4)])

    assert row(found, T4).verdict is Physical.AGREES
    assert found.physical is Physical.NOTHING_TO_COMPARE


def test_a_contested_chip_alone_is_unresolved() -> None:
    """It was seen, so there is something to settle."""
    found = report(book_of(declared()), [chip(1, state=DISPUTED)])

    assert found.physical is Physical.UNRESOLVED


def test_a_correction_takes_a_receipt_out_for_every_as_of() -> None:
    """Only from when it was recorded: what was known before stays answerable."""
    wrong = received(8)
    undo = Correction(occurred_at_ms=NOW, corrects=event_id(wrong), reason="typing error")
    records = [
        record(declared(), at=1),
        record(wrong, at=2),
        record(undo, at=3),
    ]

    assert report(fold(records)).rows == ()
    assert row(report(fold(records, known_at_ms=2))).book == 8


def test_as_of_and_known_at_are_two_times() -> None:
    """A late paper changes what was true, not what was known."""
    late = received(8, at=ms(2026, 1))
    records = [record(declared(), at=ms(2025)), record(late, at=ms(2026, 5))]

    assert row(report(fold(records), at=ms(2026, 2))).book == 8
    assert report(fold(records, known_at_ms=ms(2026, 4)), at=ms(2026, 2)).rows == ()
    assert report(fold(records), at=ms(2025, 12)).rows == ()


def test_a_period_opens_with_what_came_before() -> None:
    """Opening and received together are the book."""
    book = book_of(declared(), received(8, at=ms(2025, 6)), received(4, at=ms(2026, 2)))
    asked = Question(as_of_ms=NOW, period_start_ms=ms(2026))
    found = reconcile_all(book, (), TABLES, asked).reports[0]

    assert (row(found).opening, row(found).received, row(found).book) == (8, 4, 12)


def test_two_equal_receipts_are_one_unless_they_differ_by_shipment() -> None:
    """Entered twice is received once; two shipments are two."""
    book = book_of(declared(), received(8), received(8), received(8, shipment="second truck"))

    assert row(report(book)).book == 16


def test_a_chip_at_another_site_does_not_fill_this_one() -> None:
    """It is unaccounted for where it was received and over where it stands."""
    book = book_of(declared(), declared(site_of("penang")), received(by_pdi(1)))
    seen = [chip(1, site="penang")]
    here, there = (report(book, seen, site=name) for name in ("johor", "penang"))

    assert (here.physical, there.physical) == (Physical.UNACCOUNTED, Physical.OVERAGE)


def test_a_site_that_is_not_declared_is_named_and_hides_no_other() -> None:
    """Its chips are not dropped in silence, and the other sites are answered."""
    book = book_of(declared())
    book.add(record(received(8, site="lemuria")))  # a ledger that no admission held together
    found = reconcile_all(book, [chip(1, site="atlantis")], TABLES, Question(as_of_ms=NOW))

    assert [one.site for one in found.reports] == ["johor"]
    assert [(one.code, one.where) for one in found.undeclared] == [
        (Code.UNKNOWN_SITE, "atlantis"),
        (Code.UNKNOWN_SITE, "lemuria"),
    ]
    assert report(book) == found.reports[0]


def test_a_site_whose_only_declaration_was_wrong_hides_no_other() -> None:
    """Hosts may stand at it; once it is declared again it is balanced again."""
    wrong = declared(site_of("penang"), at=ms(2025, 6))
    undo = Correction(occurred_at_ms=NOW, corrects=event_id(wrong), reason="wrong country")
    book = book_of(declared(), wrong, undo)
    seen = [chip(1, site="penang")]
    found = reconcile_all(book, seen, TABLES, Question(as_of_ms=NOW))

    assert [one.site for one in found.reports] == ["johor"]
    assert [one.where for one in found.undeclared] == ["penang"]
    with pytest.raises(BookError) as refused:
        report(book, seen, site="penang")
    assert refused.value.code is Code.UNKNOWN_SITE
    book.add(record(declared(site_of("penang", country="SG"))))
    again = reconcile_all(book, seen, TABLES, Question(as_of_ms=NOW))
    assert [one.site for one in again.reports] == ["johor", "penang"]
    assert again.undeclared == ()


def test_a_report_names_the_version_of_every_table() -> None:
    """Catalogue, country lists and rule set, each with status and digest."""
    found = report(book_of(declared()))

    assert [(one.kind, one.status) for one in found.tables] == [
        ("chip-catalogue", "in-force"),
        ("country-lists", "in-force"),
        ("rule-set", "codified-not-enforced"),
    ]
    assert len({one.digest for one in found.tables}) == 3
