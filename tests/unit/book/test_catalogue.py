"""The chip catalogue: recognition, arithmetic, and the models that must be in it."""

from datetime import date

import msgspec
import pytest

from chipledger_book import shipped
from chipledger_book.catalogue import (
    Catalogue,
    Identified,
    MatchedBy,
    ObservedModel,
    Unknown,
    UnknownReason,
    check_catalogue,
    identify,
)
from chipledger_book.errors import BookError, Code
from chipledger_book.tables import parse_table, version_of

DAY = date(2026, 6, 1)
CATALOGUE = shipped.catalogue()


def named(**observed: str) -> Identified | Unknown:
    """Return what the shipped catalogue makes of an observation."""
    return identify(ObservedModel(**observed), CATALOGUE, DAY)


def sku_of(found: Identified | Unknown) -> str:
    """Return the SKU that was identified."""
    assert isinstance(found, Identified)
    return found.sku.sku


@pytest.mark.parametrize(
    ("device", "subsystem", "part", "name", "sku", "tpp"),
    [
        ("1eb8", "12a2", "900-2G183-A800-001", "Tesla T4", "T4-16GB", 1040),
        ("20b0", "134f", "692-2G506-0200-003", "NVIDIA A100-SXM4-40GB", "A100-SXM4-40GB", 4992),
        ("20b2", "147f", "692-2G506-0212-005", "NVIDIA A100-SXM4-80GB", "A100-SXM4-80GB", 4992),
        ("26b9", "1851", "900-2G133-A880-000", "NVIDIA L40S", "L40S-48GB", 5864),
        ("2330", "16c1", "692-2G520-0200-000", "NVIDIA H100 80GB HBM3", "H100-SXM5-80GB", 15832),
        ("2321", "1839", "900-21010-0020-000", "NVIDIA H100 NVL", "H100-NVL-94GB", 13364),
        ("2324", "17a6", "692-2G520-0205-000", "NVIDIA H800", "H800-SXM5-80GB", 15832),
        ("2335", "18be", "692-2G520-0280-001", "NVIDIA H200", "H200-SXM-141GB", 15832),
        ("233b", "1996", None, "NVIDIA H200 NVL", "H200-NVL-141GB", 13364),
        ("2342", "1809", "900-2G530-0060-000", "NVIDIA GH200 480GB", "GH200-96GB", 15832),
        ("2329", "198b", None, "NVIDIA H20", "H20-96GB", 2368),
        ("2901", "1999", "692-2G525-0220-500", "NVIDIA B200", "B200-SXM6-180GB", 36000),
        ("2941", "2046", "900-2G548-A801-000", "NVIDIA GB200", "GB200-186GB", 40000),
        ("31c2", "21f1", "900-2G548-0081-000", "NVIDIA GB300", "GB300-288GB", 60000),
        ("3182", "20e6", None, "NVIDIA B300 SXM6 AC", "B300-SXM6-270GB", 56000),
        ("2684", "889d", None, "NVIDIA GeForce RTX 4090", "RTX-4090", 5285),
    ],
)
def test_real_models_are_recognised(  # noqa: PLR0917 - one column of the table each
    device: str, subsystem: str, part: str | None, name: str, sku: str, tpp: int
) -> None:
    """Ids, part numbers and names read from real hosts lead to the model and its TPP."""
    found = identify(
        ObservedModel(
            device=f"{device}10de", subsystem=f"{subsystem}10de", board_part=part, name=name
        ),
        CATALOGUE,
        DAY,
    )

    assert isinstance(found, Identified)
    assert (sku, tpp, ()) == (found.sku.sku, found.sku.tpp, found.disagreements)


def test_pci_ids_decide_over_part_and_name() -> None:
    """An H800 that calls itself H100 is an H800, and the contradiction is stated."""
    found = named(
        device="232410de",
        subsystem="17a610de",
        board_part="692-2G520-0200-000",
        name="NVIDIA H100 80GB HBM3",
    )

    assert isinstance(found, Identified)
    assert (found.sku.sku, found.by) == ("H800-SXM5-80GB", MatchedBy.PCI_SUBSYSTEM)
    assert [one.observed for one in found.disagreements] == ["board-part", "name"]
    assert {one.names for one in found.disagreements} == {("H100-SXM5-80GB",)}


def test_unlisted_subsystem_leaves_the_device_id() -> None:
    """A subsystem nobody listed yet does not hide a known chip."""
    found = named(device="233010de", subsystem="ffff10de")

    assert isinstance(found, Identified)
    assert (found.sku.sku, found.by) == ("H100-SXM5-80GB", MatchedBy.PCI_DEVICE)


def test_unlisted_device_id_is_unknown_whatever_the_name_says() -> None:
    """Texts do not make a model of a device id that the catalogue does not hold."""
    found = named(device="ffff10de", name="NVIDIA H100 80GB HBM3")

    assert isinstance(found, Unknown)
    assert found.reason is UnknownReason.NOT_IN_CATALOGUE
    assert found.candidates == ("H100-SXM5-80GB",)
    assert "ffff10de" in found.detail


def test_part_number_then_name_serve_without_pci_ids() -> None:
    """Where no PCI id was read, the part number decides, and without it the name."""
    assert sku_of(named(board_part="900-2G133-A880-000", name="NVIDIA GB200")) == "L40S-48GB"
    assert sku_of(named(name="NVIDIA GB200")) == "GB200-186GB"


def test_shared_board_family_is_narrowed_by_the_name() -> None:
    """A part number that H100 and H200 share decides nothing alone and contradicts neither."""
    shared_part = "692-2G520-0280-001"

    alone = named(board_part=shared_part)
    assert isinstance(alone, Unknown)
    assert alone.reason is UnknownReason.AMBIGUOUS
    assert sku_of(named(board_part=shared_part, name="NVIDIA H200")) == "H200-SXM-141GB"
    with_pci = named(device="233010de", board_part=shared_part)
    assert isinstance(with_pci, Identified)
    assert with_pci.disagreements == ()


def test_the_longest_part_number_prefix_decides() -> None:
    """A narrower row is not hidden by a wider one."""
    first, second, *_ = CATALOGUE.skus
    wide = msgspec.structs.replace(first, board_parts=("692-",))
    narrow = msgspec.structs.replace(second, board_parts=("692-2G5",))
    table = msgspec.structs.replace(CATALOGUE, skus=(wide, narrow), units=())

    found = identify(ObservedModel(board_part="692-2G506-0200-003"), table, DAY)
    assert sku_of(found) == second.sku


def test_generic_name_is_no_contradiction() -> None:
    """The driver's placeholder name says nothing, so it contradicts nothing."""
    found = named(device="290110de", name="NVIDIA Graphics Device")

    assert isinstance(found, Identified)
    assert found.disagreements == ()


def test_nothing_observed_is_unknown() -> None:
    """No observation, no model: never a default."""
    found = named()

    assert isinstance(found, Unknown)
    assert found.reason is UnknownReason.NOTHING_OBSERVED


def test_every_tpp_follows_from_its_basis() -> None:
    """TPP is the stated dense rate times the stated bits, to the rounding."""
    for row in CATALOGUE.skus:
        exact_thousandths = row.basis.dense_gops * row.basis.bits
        assert abs(row.tpp * 1000 - exact_thousandths) < 1000, row.sku


def test_every_row_says_where_it_comes_from() -> None:
    """A number without source and reviewer is not in the catalogue."""
    assert all(row.source and row.reviewed_by for row in CATALOGUE.skus)


def test_every_chip_under_16_hundred_tpp_is_uncontrolled() -> None:
    """No row claims a control that its TPP cannot carry, and none escapes above 4,800."""
    for row in CATALOGUE.skus:
        if row.tpp < 1600:
            assert not row.controlled, row.sku
        if row.tpp >= 4800:
            assert row.eccn == "3A090.a", row.sku


def test_no_two_models_share_a_pci_identity() -> None:
    """A device id with the same subsystem never names two models."""
    seen: dict[tuple[str, str | None], str] = {}
    for row in CATALOGUE.skus:
        for pci in row.pci:
            for subsystem in pci.subsystems or (None,):
                assert seen.setdefault((pci.device, subsystem), row.sku) == row.sku


def test_units_hold_what_the_makers_say() -> None:
    """Eight chips in an HGX server, four in a GB200 tray, two on a GB200 board, 72 in a rack."""
    packages = {unit.model: unit.packages for unit in CATALOGUE.units}

    assert packages["HGX-H100-8"] == 8
    assert packages["GB200-TRAY"] == 4
    assert packages["GB200-NVL72"] == 72
    assert CATALOGUE.sku("GB200-186GB", DAY).packages_per_board == 2


def test_rows_that_share_a_day_are_refused() -> None:
    """One SKU has one TPP on one day."""
    first = CATALOGUE.skus[0]
    again = msgspec.structs.replace(first, valid_from=date(2026, 1, 1))
    table = msgspec.structs.replace(CATALOGUE, skus=(*CATALOGUE.skus, again))

    with pytest.raises(BookError) as refused:
        check_catalogue(table)

    assert refused.value.code is Code.TABLE_DATES_OVERLAP


def test_a_dated_change_of_a_row_holds_from_its_day() -> None:
    """The same SKU may count differently before and after a day, and both stay known."""
    first = CATALOGUE.skus[0]
    old = msgspec.structs.replace(first, valid_to=date(2025, 12, 31))
    new = msgspec.structs.replace(first, tpp=first.tpp + 1, valid_from=date(2026, 1, 1))
    table = check_catalogue(
        msgspec.structs.replace(CATALOGUE, skus=(old, new, *CATALOGUE.skus[1:]))
    )

    assert table.sku(first.sku, date(2025, 12, 31)).tpp == first.tpp
    assert table.sku(first.sku, date(2026, 1, 1)).tpp == first.tpp + 1


def test_a_unit_of_an_unlisted_sku_is_refused() -> None:
    """A unit cannot hold chips that the catalogue does not know."""
    unit = msgspec.structs.replace(CATALOGUE.units[0], sku="NO-SUCH-CHIP")
    table = msgspec.structs.replace(CATALOGUE, units=(unit,))

    with pytest.raises(BookError) as refused:
        check_catalogue(table)

    assert refused.value.code is Code.UNKNOWN_SKU


def test_a_unit_named_twice_is_refused() -> None:
    """One unit model has one content."""
    unit = CATALOGUE.units[0]
    table = msgspec.structs.replace(CATALOGUE, units=(unit, unit))

    with pytest.raises(BookError) as refused:
        check_catalogue(table)

    assert refused.value.code is Code.TABLE_ENTRY_REPEATED


def test_a_table_with_an_unknown_member_is_refused() -> None:
    """What the format does not know cannot be silently ignored."""
    with pytest.raises(BookError) as refused:
        parse_table(b'{"head": {}, "skus": [], "extra": 1}', Catalogue)

    assert refused.value.code is Code.MALFORMED_TABLE


def test_a_table_that_ends_before_it_starts_is_refused() -> None:
    """Dates that hold no day hold no rule."""
    ended = msgspec.structs.replace(CATALOGUE.head, valid_to=date(2001, 1, 1))
    data = msgspec.json.encode(msgspec.structs.replace(CATALOGUE, head=ended))

    with pytest.raises(BookError) as refused:
        parse_table(data, Catalogue)

    assert refused.value.code is Code.TABLE_DATES_WRONG


def test_the_digest_names_content_not_layout() -> None:
    """White space does not change a table's digest; any number in it does."""
    spaced = msgspec.json.format(msgspec.json.encode(CATALOGUE), indent=7)
    first = CATALOGUE.skus[0]
    changed = msgspec.structs.replace(
        CATALOGUE,
        skus=(msgspec.structs.replace(first, tpp=first.tpp + 1), *CATALOGUE.skus[1:]),
    )

    assert version_of(parse_table(spaced, Catalogue)) == version_of(CATALOGUE)
    assert version_of(changed).digest != version_of(CATALOGUE).digest


def test_every_memory_bandwidth_says_where_it_is_from_and_how_sure_it_is() -> None:
    """Figures of data sheets that nobody had at hand are called that, and none is near a limit."""
    rows = [row for row in shipped.catalogue().skus if row.dram_bandwidth_gb_s is not None]

    assert rows
    assert all(row.dram_confidence and "from memory" in row.dram_source for row in rows)
    assert all(abs((row.dram_bandwidth_gb_s or 0) - 6_500) >= 500 for row in rows)
