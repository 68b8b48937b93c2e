"""What one scan, or two, show of real hosts' trouble. Numbers as in the reference scenarios.

Hang (21) and crash (22) need a real library: tests/integration/nvml.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chipledger_agent.domain.claims import Scan
from chipledger_evidence.inventory import (
    Chip,
    Inventory,
    PciKind,
    Status,
    Unread,
    Why,
    inventory_digest,
)
from chipledger_testing.nvml import Answer, Machine, host_of, junk, refuse
from chipledger_testing.nvml.child import scan_in_process
from chipledger_testing.nvml.pci import PciAddress, PciFunction

Look = Callable[[Machine], Scan]
NOT_SUPPORTED, LOST, FUNCTION_NOT_FOUND = Unread(nvml=3), Unread(nvml=15), Unread(nvml=13)


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Return a function that scans a simulated host, each time from fresh trees."""
    count = iter(range(100))

    def scan(machine: Machine) -> Scan:
        root = tmp_path / str(next(count))
        root.mkdir()
        return scan_in_process(machine, root)

    return scan


def h100(seed: str = "host-1") -> Machine:
    """Return an HGX H100 host."""
    return host_of("hgx-h100", seed=seed)


def gpus_in_pci(inventory: Inventory) -> list[str]:
    """Return the addresses of the GPUs that sysfs shows."""
    return [function.bdf for function in inventory.pci if function.kind is PciKind.GPU]


def of(inventory: Inventory, field: str) -> list[object]:
    """Return one field of every chip."""
    return [getattr(chip, field) for chip in inventory.chips]


def test_01_a_healthy_hgx_h100_shows_eight_chips_in_three_views(look: Look) -> None:
    """All views of a healthy host agree, and every chip has UUID, PDI and serial."""
    machine = h100()

    inventory = look(machine).inventory

    assert inventory.status is Status.OK
    assert inventory.provider.kind == "mock"
    assert (inventory.device_count, len(inventory.chips), len(inventory.proc)) == (8, 8, 8)
    assert of(inventory, "uuid") == [gpu.answer("uuid").value for gpu in machine.gpus]
    assert [entry.uuid for entry in inventory.proc] == of(inventory, "uuid")
    assert [chip.pci.bdf for chip in inventory.chips if chip.pci] == gpus_in_pci(inventory)
    assert len({chip.pdi for chip in inventory.chips}) == 8
    assert of(inventory, "module_id") == [7, 5, 6, 8, 1, 3, 4, 2]
    assert inventory.driver.version == inventory.driver.kernel_module == "580.105.08"


def test_02_a_gpu_lost_at_its_handle_stays_in_the_count(look: Look) -> None:
    """A lost GPU is a chip with its reason; the other seven are read as ever."""
    inventory = look(h100().with_gpu(3, handle=refuse(15))).inventory

    assert inventory.status is Status.OK
    assert inventory.chips[3] == Chip(index=3, lost=LOST)
    assert [chip.uuid is None for chip in inventory.chips] == [i == 3 for i in range(8)]
    assert len(gpus_in_pci(inventory)) == 8


@pytest.mark.parametrize("code", [16, 28, 4])
def test_02_each_reason_of_a_refused_handle_is_kept(look: Look, code: int) -> None:
    """ResetRequired, GpuNotFound and NoPermission are told apart."""
    inventory = look(h100().with_gpu(0, handle=refuse(code))).inventory

    assert inventory.chips[0].lost == Unread(nvml=code)


def test_03_a_gpu_lost_half_way_keeps_what_was_read(look: Look) -> None:
    """Fields read before the loss stand, fields after it carry GpuIsLost."""
    chip = look(h100().with_gpu(2, lost_after_calls=3)).inventory.chips[2]

    assert (chip.uuid is None, chip.pdi is None, chip.serial is None) == (False, False, False)
    assert chip.unread["name"] == chip.unread["vbios"] == chip.unread["mig"] == LOST
    assert chip.unread["pci.bdf"] == LOST


def test_04_a_gpu_that_vanished_from_nvml_is_still_in_sysfs(look: Look) -> None:
    """NVML's count shrinks without a word; the PCI view does not."""
    machine = h100().with_gpu(5, in_nvml=0)

    inventory = look(machine).inventory

    assert (inventory.device_count, len(inventory.chips)) == (7, 7)
    assert set(gpus_in_pci(inventory)) - {c.pci.bdf for c in inventory.chips if c.pci} == {
        "0000:a8:00.0"
    }


def test_05_a_gpu_on_vfio_pci_is_present_and_unidentified(look: Look) -> None:
    """A chip passed to a virtual machine shows in sysfs with its driver, and has no UUID here."""
    machine = h100().with_gpu(7, in_nvml=0)
    pci = [replace(f, driver="vfio-pci") if f == machine.gpus[7].pci else f for f in machine.pci]

    inventory = look(replace(machine, pci=tuple(pci), proc=machine.proc[:7])).inventory

    drivers = {f.bdf: f.driver for f in inventory.pci if f.kind is PciKind.GPU}
    assert drivers["0000:ca:00.0"] == "vfio-pci"
    assert list(drivers.values()).count("nvidia") == 7
    assert len(inventory.chips) == 7


def test_06_virtual_functions_are_counted_and_are_no_chips(look: Look) -> None:
    """SR-IOV functions with the card's own ids are told apart by their physical function."""
    machine = host_of("l40s", seed="x")
    card = machine.pci[0]
    virtual = tuple(
        replace(card, address=PciAddress(0, 0x30, 0, n), physfn=card.address, driver=None)
        for n in (4, 5)
    )

    inventory = look(replace(machine, pci=(card, *virtual))).inventory

    kinds = [function.kind for function in inventory.pci]
    assert kinds == [PciKind.GPU, PciKind.VIRTUAL_FUNCTION, PciKind.VIRTUAL_FUNCTION]
    assert inventory.pci[0].virtual_functions == 2
    assert {f.physical_function for f in inventory.pci[1:]} == {"0000:30:00.0"}


def test_07_nvswitches_are_no_gpus(look: Look) -> None:
    """The four switches of an HGX board are told apart from its eight GPUs."""
    inventory = look(h100()).inventory

    kinds = [function.kind for function in inventory.pci]
    assert kinds.count(PciKind.NVSWITCH) == 4
    assert kinds.count(PciKind.GPU) == 8


def test_07_audio_and_usb_functions_are_no_gpus(look: Look) -> None:
    """Graphics boards bring other functions of the vendor; VGA-class boards are GPUs."""
    inventory = look(host_of("geforce-4060ti", seed="x")).inventory

    assert [(f.class_code, f.kind) for f in inventory.pci] == [
        ("030000", PciKind.GPU),
        ("040300", PciKind.OTHER),
        ("030000", PciKind.GPU),
        ("040300", PciKind.OTHER),
    ]


def test_08_a_gb200_tray_is_four_chips_on_two_boards(look: Look) -> None:
    """Two chips share a serial; UUID, PDI and module id are their own; the place is known."""
    inventory = look(host_of("gb200-tray", seed="x")).inventory

    serials = of(inventory, "serial")
    assert serials[0] == serials[1] != serials[2] == serials[3]
    assert len(set(of(inventory, "pdi"))) == len(set(of(inventory, "uuid"))) == 4
    platforms = [chip.platform for chip in inventory.chips if chip.platform]
    assert [(p.slot, p.tray, p.module) for p in platforms] == [
        (14, 4, 2),
        (14, 4, 1),
        (14, 4, 4),
        (14, 4, 3),
    ]
    assert len({p.chassis_serial for p in platforms}) == 1


def test_09_a_geforce_has_neither_serial_nor_part_number(look: Look) -> None:
    """What the model does not have is absent with NotSupported, not empty and not an alarm."""
    inventory = look(host_of("geforce-4060ti", seed="x")).inventory

    for chip in inventory.chips:
        assert (chip.serial, chip.board_part, chip.ecc_mode) == (None, None, None)
        assert chip.unread["serial"] == chip.unread["board_part"] == NOT_SUPPORTED
        assert chip.uuid is not None
    assert inventory.status is Status.OK


def test_10_mig_devices_are_children_of_one_chip(look: Look) -> None:
    """Indices with holes are walked to the end; eight chips stay eight."""

    def child(number: int) -> dict[str, Answer]:
        return {
            "uuid": Answer(value=f"MIG-{number}"),
            "gpu_instance": Answer(value=number),
            "compute_instance": Answer(value=0),
        }

    machine = h100().with_gpu(0, mig_mode=(1, 1)).with_mig(0, [(0, child(7)), (4, child(11))])

    inventory = look(machine).inventory

    mig = inventory.chips[0].mig
    assert mig is not None
    assert [(c.index, c.uuid, c.gpu_instance) for c in mig.children] == [
        (0, "MIG-7", 7),
        (4, "MIG-11", 11),
    ]
    assert mig.max_devices == 7
    assert len(inventory.chips) == 8
    assert not [path for path in inventory.chips[0].unread if path.startswith("mig")]


def test_11_a_vgpu_guest_says_so(look: Look) -> None:
    """Virtualization mode 2 is in the record: such an identity is no hardware claim."""
    machine = host_of("l40s", seed="x").with_gpu(0, virtualization_mode=2, serial=refuse(3))

    chip = look(machine).inventory.chips[0]

    assert chip.virtualization == 2


def test_12_a_driver_mismatch_leaves_the_other_views(look: Look) -> None:
    """After a half-done upgrade PCI and the kernel module still speak."""
    inventory = look(h100().with_system(init=refuse(18))).inventory

    assert inventory.status is Status.DRIVER_MISMATCH
    assert inventory.error == Unread(nvml=18)
    assert len(gpus_in_pci(inventory)) == 8
    assert inventory.driver.kernel_module == "580.105.08"
    assert inventory.unread["device_count"] == Unread(nvml=18)


def test_13_without_a_library_the_pci_view_stands(look: Look) -> None:
    """No library to load: the status says so, eight GPUs are on the bus."""
    inventory = look(h100().with_system(init=refuse(12))).inventory

    assert (inventory.status, inventory.error) == (Status.NO_NVML, Unread(nvml=12))
    assert len(gpus_in_pci(inventory)) == 8


def test_14_without_the_driver_the_pci_view_stands(look: Look) -> None:
    """The module is not loaded: no /proc, no NVML, eight GPUs on the bus."""
    machine = replace(h100().with_system(init=refuse(9)), proc=(), proc_version=None)

    inventory = look(machine).inventory

    assert (inventory.status, inventory.error) == (Status.DRIVER_ABSENT, Unread(nvml=9))
    assert inventory.unread["driver.kernel_module"] == Unread(why=Why.OS_ERROR)
    assert len(gpus_in_pci(inventory)) == 8


def test_15_an_unknown_error_at_init_is_its_own_status(look: Look) -> None:
    """Unknown (999) is reported with its code; the retry is the parent's."""
    inventory = look(h100().with_system(init=refuse(999))).inventory

    assert (inventory.status, inventory.error) == (Status.NVML_ERROR, Unread(nvml=999))


def test_16_an_old_driver_offers_less_and_says_so(look: Look) -> None:
    """On driver 535 PDI and platform are FunctionNotFound, the chips are all there."""
    inventory = look(h100().with_system(driver_version="535.104.05")).inventory

    for chip in inventory.chips:
        assert chip.unread["pdi"] == chip.unread["platform"] == FUNCTION_NOT_FOUND
        assert (chip.uuid is None, chip.module_id is None) == (False, False)
    assert inventory.status is Status.OK


def test_17_a_board_swap_shows_a_new_chip_in_the_same_slot(look: Look) -> None:
    """Same address and module, other UUID, PDI and serial: a replacement."""
    before = h100()
    spare = host_of("hgx-h100", seed="spare").gpus[4]
    swapped = replace(spare, pci=before.gpus[4].pci)
    after = replace(before, gpus=(*before.gpus[:4], swapped, *before.gpus[5:]))

    old, new = look(before).inventory.chips[4], look(after).inventory.chips[4]

    assert (old.pci, old.module_id) == (new.pci, new.module_id)
    assert (old.uuid == new.uuid, old.pdi == new.pdi, old.serial == new.serial) == (
        False,
        False,
        False,
    )


def test_18_a_moved_board_keeps_its_identity_elsewhere(look: Look) -> None:
    """Same UUID, PDI and serial under another address: a move."""
    before = h100()
    pci = replace(before.gpus[0].pci, address=PciAddress(0, 0xD1, 0))
    moved = replace(before.gpus[0], pci=pci)
    after = replace(before, gpus=(*before.gpus[1:], moved))

    old, new = look(before).inventory.chips[0], look(after).inventory.chips[7]

    assert (old.uuid, old.pdi, old.serial) == (new.uuid, new.pdi, new.serial)
    assert old.pci != new.pci


def test_19_text_that_is_no_text_spoils_one_field(look: Look) -> None:
    """Bytes that are not UTF-8 are kept as hex; the chip's other fields are read."""
    chip = look(
        h100().with_gpu(1, serial=junk(b"\xff\xfe12"), name=junk(b"\xc3("))
    ).inventory.chips[1]

    assert chip.unread["serial"] == Unread(why=Why.NOT_TEXT, raw="fffe3132")
    assert chip.unread["name"] == Unread(why=Why.NOT_TEXT, raw="c328")
    assert chip.uuid is not None


def test_20_a_cloned_uuid_is_reported_as_it_is(look: Look) -> None:
    """Two hosts that show one chip both report it; judging is the collector's work."""
    one, two = h100("a"), h100("b")
    clone = replace(two, gpus=(replace(one.gpus[0], pci=two.gpus[0].pci), *two.gpus[1:]))

    first, second = look(one).inventory, look(clone).inventory

    assert set(of(first, "uuid")) & set(of(second, "uuid")) == {first.chips[0].uuid}
    assert second.proc[0].uuid != second.chips[0].uuid


def test_23_a_flashed_vbios_changes_the_digest(look: Look) -> None:
    """A new VBIOS version is in the record and makes it another record."""
    before = look(h100()).inventory
    after = look(h100().with_gpu(6, vbios="96.00.A5.00.01")).inventory

    assert (before.chips[6].vbios, after.chips[6].vbios) == ("96.00.99.00.01", "96.00.A5.00.01")
    assert inventory_digest(before) != inventory_digest(after)


def test_24_odometers_are_reported_beside_the_stable_part(look: Look) -> None:
    """Counters that went back are seen by comparing two reports; the digest does not move."""
    machine = h100().with_system(driver_version="610.10.01")
    before = look(machine.with_gpu(0, ecc_total=(0, 0, 9, 2), bbx_time_run_s=7000))
    after = look(machine.with_gpu(0, ecc_total=(0, 0, 1, 0), bbx_time_run_s=10))

    assert (before.counters[0].ecc_corrected, before.counters[0].ecc_uncorrected) == (9, 2)
    assert (after.counters[0].ecc_corrected, after.counters[0].bbx_seconds) == (1, 10)
    assert inventory_digest(before.inventory) == inventory_digest(after.inventory)


def test_a_pdi_of_zero_names_no_chip(look: Look) -> None:
    """Every chip of every host would be the same one."""
    chips = look(h100().with_gpu(2, pdi=0)).inventory.chips

    assert [chip.pdi is None for chip in chips] == [False, False, True, *[False] * 5]
    assert chips[2].unread["pdi"] == Unread(why=Why.OUT_OF_RANGE, raw="00" * 8)


def test_25_an_excluded_gpu_is_named(look: Look) -> None:
    """A GPU the administrator hid from NVML is in the record with place and UUID."""
    machine = h100()
    hidden = machine.gpus[7]
    uuid = str(hidden.answer("uuid").value)
    machine = replace(
        machine.with_gpu(7, in_nvml=0),
        excluded=((hidden.pci, uuid),),
        proc=(*machine.proc[:7], replace(machine.proc[7], excluded="Yes")),
    )

    inventory = look(machine).inventory

    assert [(e.bdf, e.uuid) for e in inventory.excluded] == [("0000:ca:00.0", uuid)]
    assert inventory.proc[7].excluded == "Yes"
    assert inventory.device_count == 7


def test_26_devices_that_may_not_be_opened_are_counted(look: Look) -> None:
    """The count is larger than what can be opened; every index is in the record."""
    machine = h100().with_gpu(6, handle=refuse(4)).with_gpu(7, handle=refuse(4))

    inventory = look(machine).inventory

    assert (inventory.device_count, len(inventory.chips)) == (8, 8)
    assert [chip.lost for chip in inventory.chips[6:]] == [Unread(nvml=4)] * 2


def test_a_corrupted_inforom_spoils_only_what_it_holds(look: Look) -> None:
    """CorruptedInforom (14) is kept at the field; the record goes on."""
    machine = h100().with_gpu(0, inforom_checksum=refuse(14), serial=refuse(14))

    chip = look(machine).inventory.chips[0]

    assert chip.unread["inforom_checksum"] == chip.unread["serial"] == Unread(nvml=14)
    assert chip.inforom is not None


def test_failed_and_unsupported_are_told_apart(look: Look) -> None:
    """A value turned into NotSupported does not look like one that failed."""
    hidden = look(h100().with_gpu(0, serial=refuse(3))).inventory.chips[0]
    failed = look(h100().with_gpu(0, serial=refuse(999))).inventory.chips[0]

    assert (hidden.unread["serial"], failed.unread["serial"]) == (NOT_SUPPORTED, Unread(nvml=999))


def test_an_odometer_not_offered_is_null_and_a_failed_one_has_its_reason(look: Look) -> None:
    """Counters tell not offered, not readable and zero apart."""
    machine = h100().with_system(driver_version="610.10.01")
    offered = look(machine.with_gpu(0, bbx_time_run_s=0)).counters[0]
    absent = look(machine).counters[0]
    failed = look(machine.with_gpu(0, bbx_time_run_s=refuse(27))).counters[0]

    assert (offered.bbx_seconds, absent.bbx_seconds) == (0, None)
    assert failed.bbx_seconds == Unread(nvml=27)


def test_numbers_beyond_the_record_are_kept_as_bytes(look: Look) -> None:
    """A counter above 2**53 - 1 is out of range with its value, never wrapped or cut."""
    scan = look(h100().with_gpu(0, ecc_total=(0, 0, 2**63, 0)))

    assert scan.counters[0].ecc_corrected == Unread(why=Why.OUT_OF_RANGE, raw="8000000000000000")


def test_every_mig_device_failing_does_not_break_the_record(look: Look) -> None:
    """However many reasons there are, the chip stays in a record the collector can read."""
    bad = {"uuid": refuse(999), "gpu_instance": refuse(999), "compute_instance": refuse(999)}
    machine = (
        h100()
        .with_gpu(0, mig_mode=(1, 1), mig_max_devices=64)
        .with_mig(0, [(index, bad) for index in range(40)])
    )

    chip = look(machine).inventory.chips[0]

    assert chip.mig is not None
    assert len(chip.mig.children) == 32
    assert len(chip.unread) == 64


def test_what_the_environment_may_change_is_stated(tmp_path: Path) -> None:
    """Preloading and container variables are facts of the record."""
    environment = {"LD_PRELOAD": "/opt/x.so", "NVIDIA_VISIBLE_DEVICES": "0,1"}

    provider = scan_in_process(h100(), tmp_path, environment=environment).inventory.provider

    assert (provider.preload, provider.visible_devices) == (True, "0,1")


def test_a_function_of_the_bus_that_is_not_ours_is_not_listed(look: Look) -> None:
    """Other vendors' devices are nobody's business here."""
    machine = h100()
    other = PciFunction(
        address=PciAddress(0, 1, 0),
        device_id=0x101715B3,
        subsystem_id=0x000815B3,
        class_code=0x020000,
    )

    inventory = look(replace(machine, pci=(*machine.pci, other))).inventory

    assert "0000:01:00.0" not in [function.bdf for function in inventory.pci]


@pytest.mark.parametrize("name", ["a100", "gb300-tray", "hgx-b200", "hgx-h200", "l40s", "t4"])
def test_every_profile_gives_a_whole_record(look: Look, name: str) -> None:
    """Each real machine is read without a loss, an alarm or an unknown failure."""
    machine = host_of(name, seed="x")

    inventory = look(machine).inventory

    assert inventory.status is Status.OK
    assert len(inventory.chips) == len(machine.gpus)
    reasons = {reason for chip in inventory.chips for reason in chip.unread.values()}
    assert reasons <= {NOT_SUPPORTED, FUNCTION_NOT_FOUND}
