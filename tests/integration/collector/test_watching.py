"""What a chip, slot or host showed before, held against what it shows now."""

import random

import pytest
from msgspec.structs import replace

from chipledger_evidence.inventory import Chip, Counters, Inventory, ReadCount, Unread
from chipledger_testing.collector_inside import HOUR_MS, CollectorInside
from chipledger_testing.hosts import SimulatedHost, chip_of, inventory_of

FIVE = Counters(
    ecc_corrected=5, ecc_uncorrected=1, rows_corrected=2, rows_uncorrected=1, bbx_seconds=90_000
)


def count(inside: CollectorInside, host: SimulatedHost, *counters: Counters) -> None:
    """Let a host send a heartbeat with these odometers."""
    inside.pass_time(60_000)
    inside.report(inside.heartbeat(host, counters=counters))


def at(chip: Chip, index: int) -> Chip:
    """Return a chip in another slot."""
    return replace(chip, index=index, pci=chip_of("slot", index).pci, minor=index)


def replayed(inside: CollectorInside) -> None:
    """Check that the log gives the same state again."""
    derived = inside.derived()
    inside.replay()
    assert inside.derived() == derived


@pytest.mark.parametrize(
    "field", ["ecc_corrected", "ecc_uncorrected", "rows_corrected", "rows_uncorrected"]
)
@pytest.mark.parametrize("restarts", [0, 1])
def test_an_odometer_that_goes_back_is_found(
    inside: CollectorInside, field: str, restarts: int
) -> None:
    """By one is enough, and a restart of the collector forgets nothing."""
    host = inside.enrol("a")
    inside.report(inside.full(host, counters=(FIVE, FIVE)))
    count(inside, host, FIVE, FIVE)
    for _ in range(restarts):
        inside.restart()
    lower: ReadCount = getattr(FIVE, field) - 1
    count(inside, host, FIVE, replace(FIVE, **{field: lower}))
    assert inside.findings() == ["counter-backward"]
    ((told),) = inside.detail("counter-backward")["counters"]
    assert host.inventory.chips[1].uuid is not None
    assert host.inventory.chips[1].uuid in told
    replayed(inside)


def test_odometers_that_begin_or_stop_are_no_step_back(inside: CollectorInside) -> None:
    """A driver that does not offer one, and one that fails to read one for an hour."""
    host = inside.enrol("a", chips=1)
    none = Counters()
    inside.report(inside.full(host, counters=(none,)))
    count(inside, host, FIVE)
    count(inside, host, replace(FIVE, ecc_corrected=Unread(nvml=999)))
    count(inside, host, FIVE)
    assert inside.findings() == []


@pytest.mark.parametrize("restarts", [0, 1])
def test_an_odometer_cannot_go_back_behind_a_failed_read(
    inside: CollectorInside, restarts: int
) -> None:
    """What was read before the failure still stands."""
    host = inside.enrol("a", chips=1)
    inside.report(inside.full(host, counters=(FIVE,)))
    count(inside, host, replace(FIVE, ecc_corrected=Unread(nvml=999)))
    for _ in range(restarts):
        inside.restart()
    count(inside, host, replace(FIVE, ecc_corrected=Unread(nvml=999)))
    count(inside, host, replace(FIVE, ecc_corrected=4))
    assert inside.findings() == ["counter-backward"]
    replayed(inside)


@pytest.mark.parametrize("given_up", [True, False])
def test_an_odometer_goes_with_its_chip_to_another_host(
    inside: CollectorInside,
    given_up: bool,  # noqa: FBT001 - a table
) -> None:
    """Whether the host it left has said so or not."""
    one, two = inside.enrol("a", chips=1), inside.enrol("b", chips=1)
    inside.report(inside.full(one, counters=(FIVE,)))
    inside.report(inside.full(two, counters=(FIVE,)))
    moved = one.inventory.chips[0]
    inside.pass_time(HOUR_MS)
    if given_up:
        one.inventory = inventory_of()
        inside.report(inside.full(one, counters=()))
    two.inventory = inventory_of(two.inventory.chips[0], at(moved, 1))
    inside.report(inside.full(two, counters=(FIVE, replace(FIVE, ecc_corrected=4))))
    assert inside.findings() == ["counter-backward"]
    assert inside.rows("SELECT host FROM findings") == [(two.host,)]
    replayed(inside)


def test_odometers_stay_with_chips_that_change_places(inside: CollectorInside) -> None:
    """A renumbered bus is no step back."""
    host = inside.enrol("a")
    old = replace(FIVE, ecc_corrected=500)
    inside.report(inside.full(host, counters=(FIVE, old)))
    first, second = host.inventory.chips
    host.inventory = inventory_of(at(second, 0), at(first, 1))
    inside.report(inside.full(host, counters=(old, FIVE)))
    assert inside.findings() == []
    replayed(inside)


def test_an_unknown_inventory_hides_no_step_back(inside: CollectorInside) -> None:
    """A heartbeat that names one before it is sent says nothing about the chips."""
    host = inside.enrol("a", chips=1)
    inside.report(inside.full(host, counters=(FIVE,)))
    host.inventory = replace(host.inventory, hardware="another")
    lower = replace(FIVE, ecc_corrected=4)
    inside.take(inside.heartbeat(host, counters=(lower,)))
    inside.step()
    assert inside.findings() == []
    inside.report(inside.full(host, counters=(lower,)))
    assert inside.findings() == ["counter-backward"]
    replayed(inside)


def test_an_odometer_said_not_to_be_offered_any_more_went_missing(inside: CollectorInside) -> None:
    """By the same driver; with another driver it may."""
    host = inside.enrol("a", chips=1)
    inside.report(inside.full(host, counters=(FIVE,)))
    gone = replace(FIVE, ecc_corrected=Unread(nvml=3))
    count(inside, host, gone)
    assert inside.findings() == ["field-went-missing"]
    other = inside.enrol("b", chips=1)
    inside.report(inside.full(other, counters=(FIVE,)))
    driver = replace(other.inventory.driver, version="999.1", kernel_module="999.1")
    other.inventory = replace(other.inventory, driver=driver)
    inside.report(inside.full(other, counters=(gone,)))
    assert inside.rows("SELECT host FROM findings") == [(host.host,)]
    replayed(inside)


@pytest.mark.parametrize("restarts", [0, 1])
def test_a_suspect_library_is_found_until_it_is_not(inside: CollectorInside, restarts: int) -> None:
    """It is a condition of the host, resolved by another library."""
    host = inside.enrol("a")
    good = host.inventory
    inside.report(inside.full(host))
    host.inventory = replace(good, provider=replace(good.provider, preload=True))
    inside.report(inside.full(host))
    for _ in range(restarts):
        inside.restart()
    host.inventory = replace(host.inventory, hardware="another")
    inside.report(inside.full(host))
    assert inside.findings() == ["library-suspect"]
    host.inventory = good
    inside.report(inside.full(host))
    assert (inside.findings(), inside.findings("resolved")) == ([], ["library-suspect"])
    replayed(inside)


def test_another_build_of_the_library_is_found_where_three_show_one(
    inside: CollectorInside,
) -> None:
    """Whoever comes late and is alone."""
    hosts = [inside.enrol(seed) for seed in "abcd"]
    library = hosts[3].inventory.provider.library
    if library is None:
        raise AssertionError
    provider = replace(hosts[3].inventory.provider, library=replace(library, sha256="00" * 32))
    hosts[3].inventory = replace(hosts[3].inventory, provider=provider)
    for host in hosts:
        inside.report(inside.full(host))
    assert inside.rows("SELECT type, host FROM findings") == [("library-suspect", hosts[3].host)]
    replayed(inside)


@pytest.mark.parametrize("restarts", [0, 1])
def test_a_board_swapped_for_another_is_said(inside: CollectorInside, restarts: int) -> None:
    """Also when the slot was empty for a while."""
    host = inside.enrol("a")
    first, _ = host.inventory.chips
    inside.report(inside.full(host))
    host.inventory = inventory_of(first)
    inside.report(inside.full(host))
    for _ in range(restarts):
        inside.restart()
    assert inside.findings() == []
    host.inventory = inventory_of(first, chip_of("spare", 1))
    inside.report(inside.full(host))
    assert inside.findings() == ["identity-changed-in-slot"]
    assert inside.rows("SELECT severity FROM findings") == [("low",)]
    replayed(inside)


def test_a_chip_under_another_serial_is_a_changed_identity(inside: CollectorInside) -> None:
    """On its own host or on another; one that says none, and two chips on one board, are not."""
    one, two = inside.enrol("a"), inside.enrol("b", chips=1)
    first, second = one.inventory.chips
    one.inventory = inventory_of(first, replace(second, serial=first.serial))
    inside.report(inside.full(one), inside.full(two))
    one.inventory = inventory_of(first, replace(second, serial=None))
    inside.report(inside.full(one))
    assert inside.findings() == []
    one.inventory = inventory_of(first)
    inside.report(inside.full(one))
    two.inventory = inventory_of(*two.inventory.chips, at(second, 1))
    inside.report(inside.full(two))
    assert inside.rows("SELECT type, host FROM findings") == [("identity-changed", two.host)]
    (told,) = inside.detail("identity-changed")["changes"]
    assert f"board {second.serial}, before {first.serial}" in told
    replayed(inside)


def test_chips_that_change_slots_and_chips_that_move_are_no_swap(inside: CollectorInside) -> None:
    """They are still seen somewhere."""
    one, two = inside.enrol("a"), inside.enrol("b", chips=1)
    inside.report(inside.full(one), inside.full(two))
    first, second = one.inventory.chips
    one.inventory = inventory_of(at(second, 0), at(first, 1))
    inside.report(inside.full(one))
    inside.pass_time(HOUR_MS)
    two.inventory = inventory_of(*two.inventory.chips, at(second, 1))
    one.inventory = inventory_of(chip_of("spare", 0), at(first, 1))
    inside.report(inside.full(two))
    inside.report(inside.full(one))
    assert inside.findings() == []
    replayed(inside)


@pytest.mark.parametrize("seed", range(6))
def test_restarts_change_nothing_and_the_log_gives_it_all_again(
    inside: CollectorInside, seed: int
) -> None:
    """Whatever hosts do, and whenever the collector ends and begins."""
    chance = random.Random(seed)  # noqa: S311 - a test's own dice
    hosts = [inside.enrol(name) for name in "abc"]
    for host in hosts:
        inside.report(inside.full(host))
    chips = [chip for host in hosts for chip in host.inventory.chips] + [chip_of("spare", 0)]
    for _ in range(40):
        inside.pass_time(60_000)
        host = chance.choice(hosts)
        if chance.random() < 0.3:
            inside.restart()
        if chance.random() < 0.4:
            host.inventory = _another(chance, chips)
        counters = tuple(_counters(chance) for _ in host.inventory.chips)
        if chance.random() < 0.6:
            inside.report(inside.full(host, counters=counters))
        else:
            inside.take(inside.heartbeat(host, counters=counters))
            inside.step()
    replayed(inside)


def _another(chance: random.Random, chips: list[Chip]) -> Inventory:
    held = [
        at(chip, place) for place, chip in enumerate(chance.sample(chips, chance.randint(0, 3)))
    ]
    if held and chance.random() < 0.4:
        gone = replace(held[0], serial=None, unread={"serial": Unread(nvml=3)})
        held[0] = gone
    inventory = inventory_of(*held)
    if chance.random() < 0.3:
        inventory = replace(inventory, provider=replace(inventory.provider, preload=True))
    return inventory


def _counters(chance: random.Random) -> Counters:
    read = [chance.choice([0, 1, 2, 3, None, Unread(nvml=3), Unread(nvml=999)]) for _ in range(5)]
    names = Counters.__struct_fields__
    return Counters(**dict(zip(names, read, strict=True)))
