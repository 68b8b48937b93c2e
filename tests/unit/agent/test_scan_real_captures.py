"""What the scan sees of the four real machines whose `nvidia-smi -q -x` output is at hand."""

from pathlib import Path

import pytest

from chipledger_evidence.inventory import Inventory, Status, Unread
from chipledger_testing.nvml import machine_from_capture
from chipledger_testing.nvml.child import scan_in_process

pytestmark = pytest.mark.shared


def seen(shared: Path, root: Path, name: str) -> Inventory:
    """Return the inventory of a captured machine."""
    return scan_in_process(machine_from_capture(shared / "captures" / name), root).inventory


@pytest.mark.parametrize(
    ("name", "chips", "facts"),
    [
        ("qx-h100.xml", 8, ("233010de", "580.105.08")),
        ("qx-b200.xml", 8, ("290110de", "580.105.08")),
        ("qx-gb200.xml", 4, ("294110de", "580.173.02")),
        ("qx-l40s.xml", 1, ("26b910de", "595.91.07")),
    ],
)
def test_every_captured_chip_is_in_the_record(
    shared: Path, tmp_path: Path, name: str, chips: int, facts: tuple[str, str]
) -> None:
    """21 chips in four machines, each with UUID, PDI, serial and PCI ids; nothing unknown."""
    device, driver = facts

    inventory = seen(shared, tmp_path, name)

    assert (inventory.status, inventory.driver.version) == (Status.OK, driver)
    assert len(inventory.chips) == len({chip.uuid for chip in inventory.chips}) == chips
    assert len({chip.pdi for chip in inventory.chips}) == chips
    assert {chip.pci.device for chip in inventory.chips if chip.pci} == {device}
    assert all(chip.serial for chip in inventory.chips)
    reasons = {reason for chip in inventory.chips for reason in chip.unread.values()}
    assert reasons <= {Unread(nvml=3), Unread(nvml=13)}


def test_the_repaired_board_of_the_h100_host_is_told_apart(shared: Path, tmp_path: Path) -> None:
    """One of the eight boards has another part number; all have the same VBIOS."""
    chips = seen(shared, tmp_path, "qx-h100.xml").chips

    assert [chip.board_part for chip in chips].count("692-2G520-0200-000") == 7
    assert chips[3].board_part == "965-2G520-A800-000"
    assert {chip.vbios for chip in chips} == {"96.00.99.00.01"}


def test_two_chips_of_a_gb200_board_share_their_serial(shared: Path, tmp_path: Path) -> None:
    """Four chips, two serials, one chassis, slot 14 and tray 4, one fabric cluster."""
    chips = seen(shared, tmp_path, "qx-gb200.xml").chips

    assert [chip.serial for chip in chips] == ["1650000000001"] * 2 + ["1650000000002"] * 2
    platforms = [chip.platform for chip in chips if chip.platform]
    assert {(p.chassis_serial, p.slot, p.tray) for p in platforms} == {("1820000000001", 14, 4)}
    assert {(chip.fabric.clique, chip.fabric.state) for chip in chips if chip.fabric} == {(2, 3)}
    assert {(chip.c2c, chip.addressing) for chip in chips} == {(1, 2)}
