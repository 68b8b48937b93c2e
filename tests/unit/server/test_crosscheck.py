"""Three views of one host, compared chip by chip."""

from msgspec.structs import replace

from chipledger_evidence.inventory import Chip, Inventory, PciKind, Status, Unread, Why
from chipledger_server.domain.crosscheck import State, check
from chipledger_testing.hosts import chip_of, inventory_of

TWO = inventory_of(chip_of("x", 0), chip_of("x", 1))


def states(inventory: Inventory) -> list[State]:
    """Return the state of each line."""
    return [line.state for line in check(inventory).lines]


def test_views_that_agree_confirm_every_chip() -> None:
    """A healthy host has no difference."""
    checked = check(TWO)
    assert [line.state for line in checked.lines] == [State.READ, State.READ]
    assert checked.differences == ()


def test_a_chip_that_pci_does_not_show_is_unconfirmed() -> None:
    """An invented chip stands in NVML alone."""
    assert states(replace(TWO, pci=TWO.pci[:1])) == [State.READ, State.UNCONFIRMED]
    assert check(replace(TWO, pci=TWO.pci[:1])).differences


def test_another_device_on_pci_is_a_difference() -> None:
    """A name can be changed more easily than what the bus says."""
    other = replace(TWO.pci[0], device="20b510de")
    checked = check(replace(TWO, pci=(other, TWO.pci[1])))
    assert checked.lines[0].state is State.UNCONFIRMED
    assert "20b510de" in checked.differences[0]


def test_another_uuid_by_the_kernel_module_is_a_difference() -> None:
    """A swapped library does not control /proc."""
    other = replace(TWO.proc[1], uuid="GPU-00000000-0000-0000-0000-000000000000")
    checked = check(replace(TWO, proc=(TWO.proc[0], other)))
    assert checked.lines[1].state is State.UNCONFIRMED


def test_a_view_that_could_not_be_read_confirms_nothing_and_contradicts_nothing() -> None:
    """Not knowing is no difference."""
    blind = replace(TWO, proc=(), unread={"proc": Unread(why=Why.OS_ERROR)})
    checked = check(blind)
    assert [line.state for line in checked.lines] == [State.UNCONFIRMED] * 2
    assert checked.differences == ()


def test_a_device_bound_to_the_driver_that_nvml_hides_is_a_difference() -> None:
    """The count does not shrink silently: it is listed, unidentified."""
    hidden = replace(TWO, chips=TWO.chips[:1], device_count=1)
    checked = check(hidden)
    assert [line.state for line in checked.lines] == [State.READ, State.UNIDENTIFIED]
    assert checked.differences


def test_a_device_handed_to_a_virtual_machine_is_unidentified_and_no_difference() -> None:
    """vfio-pci is an honest use."""
    handed = replace(TWO.pci[1], driver="vfio-pci")
    checked = check(replace(TWO, chips=TWO.chips[:1], pci=(TWO.pci[0], handed), proc=TWO.proc[:1]))
    assert [line.state for line in checked.lines] == [State.READ, State.UNIDENTIFIED]
    assert checked.lines[1].device == "233010de"
    assert checked.differences == ()


def test_virtual_functions_and_switches_are_no_chips() -> None:
    """Only physical GPUs are lines."""
    virtual = replace(TWO.pci[0], bdf="0000:19:00.1", kind=PciKind.VIRTUAL_FUNCTION)
    switch = replace(TWO.pci[0], bdf="0000:01:00.0", kind=PciKind.NVSWITCH)
    assert len(states(replace(TWO, pci=(*TWO.pci, virtual, switch)))) == 2


def test_a_vgpu_guest_claims_no_hardware() -> None:
    """A slice is never a chip."""
    guest = replace(TWO.chips[0], virtualization=2)
    checked = check(replace(TWO, chips=(guest,), pci=(), proc=()))
    assert [line.state for line in checked.lines] == [State.NOT_PHYSICAL]
    assert checked.differences == ()


def test_a_lost_chip_stays_one_line() -> None:
    """A failed handle without an address is not also a PCI-only device."""
    lost = Chip(index=1, lost=Unread(nvml=15))
    assert states(replace(TWO, chips=(TWO.chips[0], lost))) == [State.READ, State.LOST]


def test_without_nvml_every_device_of_the_bus_is_listed() -> None:
    """A driver that is not loaded makes chips unidentified, not absent."""
    down = replace(TWO, status=Status.DRIVER_ABSENT, chips=(), proc=(), device_count=None)
    checked = check(down)
    assert [line.state for line in checked.lines] == [State.UNIDENTIFIED] * 2
    assert checked.differences == ()


def test_two_chips_with_one_identity_are_a_difference() -> None:
    """One UUID or PDI at two places is no two chips, and it is not said silently which is one."""
    first, second = TWO.chips
    assert (first.uuid, second.uuid) != (None, None)
    twin = replace(second, uuid=first.uuid, pdi=first.pdi)
    module = replace(TWO.proc[1], uuid=TWO.proc[0].uuid)
    checked = check(replace(TWO, chips=(first, twin), proc=(TWO.proc[0], module)))
    assert [line.state for line in checked.lines] == [State.UNCONFIRMED] * 2
    assert "names two chips" in checked.differences[0]
