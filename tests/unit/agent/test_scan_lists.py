"""No list of the record shrinks because one of its entries could not be read."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from chipledger_agent.scan.child import scan
from chipledger_agent.scan.lines import Line
from chipledger_agent.scan.merge import Ending, merge
from chipledger_agent.scan.pci import pci_view
from chipledger_agent.scan.proc import proc_view
from chipledger_agent.scan.source import LoadedLibrary
from chipledger_evidence.inventory import MAX_CHIPS, Excluded, Inventory, Unread, Why
from chipledger_testing.nvml import Machine, MockLibrary, host_of, installed, refuse, write_trees
from chipledger_testing.nvml.child import scan_in_process

OS_ERROR = Unread(why=Why.OS_ERROR)
EXCLUDED_INFO = "nvmlGetExcludedDeviceInfoByIndex"


@dataclass
class Withholding:
    """A library that refuses one hidden GPU and answers everything else as another does."""

    library: MockLibrary
    hidden: int
    kind: str = "mock"

    def load(self) -> LoadedLibrary:
        """Return itself."""
        return LoadedLibrary(calls=self, unread={})

    def __getattr__(self, name: str) -> object:
        """Return the other library's function, or one that refuses."""
        function = getattr(self.library, name)
        if name != EXCLUDED_INFO:
            return function

        def refusing(index: object, *rest: object) -> object:
            refused = getattr(index, "value", index) == self.hidden
            return 999 if refused else function(index, *rest)

        return refusing


def test_a_hidden_gpu_that_cannot_be_asked_stays_in_the_list(tmp_path: Path) -> None:
    """Three are counted, three are listed, one of them with a reason."""
    machine = host_of("hgx-h100", seed="x")
    uuids = [f"GPU-0000000{number}-0000-0000-0000-000000000000" for number in range(3)]
    hidden = tuple(zip((gpu.pci for gpu in machine.gpus), uuids, strict=False))
    inventory = scanned(Withholding(MockLibrary(replace(machine, excluded=hidden)), 1), tmp_path)

    assert [gpu.uuid for gpu in inventory.excluded] == [uuids[0], None, uuids[2]]
    assert inventory.excluded[1] == Excluded()
    assert inventory.unread["excluded.1"] == Unread(nvml=999)


def scanned(source: Withholding, root: Path) -> Inventory:
    """Return what the shipped scan sees through a source."""
    lines = []

    def emit(line: Line) -> None:
        lines.append(line)

    with installed(None):
        scan(source, root=root, environment={}, emit=emit)
    return merge(lines, Ending.FINISHED, provider="mock").inventory


def test_mig_without_its_largest_number_is_still_on(tmp_path: Path) -> None:
    """The mode was read; only what depends on the number is missing."""
    machine = mig_host()
    chip = scan_in_process(machine, tmp_path).inventory.chips[0]

    assert chip.mig is not None
    assert (chip.mig.current, chip.mig.children) == (1, ())
    assert chip.unread["mig.max_devices"] == Unread(nvml=999)


def mig_host() -> Machine:
    """Return a host whose first GPU is sliced and does not say into how many at most."""
    machine = host_of("hgx-h100", seed="x")
    return machine.with_gpu(0, mig_mode=(1, 1), mig_max_devices=refuse(999))


def test_a_module_that_hides_one_gpu_is_noted(tmp_path: Path) -> None:
    """The GPU is listed by its address, with the reason why nothing else is known."""
    root = write_trees(host_of("hgx-h100", seed="x"), tmp_path)
    shutil.rmtree(root / "proc/driver/nvidia/gpus/0000:64:00.0")
    (root / "proc/driver/nvidia/gpus/0000:64:00.0").mkdir()

    view = proc_view(root)

    assert [gpu.uuid is None for gpu in view.gpus] == [False, True, *[False] * 6]
    assert view.unread == {"proc.1": OS_ERROR}


def test_more_gpus_than_the_record_holds_are_noted(tmp_path: Path) -> None:
    """The list of the module ends at 64, and says that it goes on."""
    base = tmp_path / "proc/driver/nvidia"
    for number in range(MAX_CHIPS + 1):
        folder = base / "gpus" / f"0000:{number:02x}:00.0"
        folder.mkdir(parents=True)
        (folder / "information").write_text("Model: \t\t NVIDIA H100\n")
    (base / "version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun\n"
    )

    view = proc_view(tmp_path)

    assert len(view.gpus) == MAX_CHIPS
    assert view.unread == {"proc": Unread(why=Why.OUT_OF_RANGE)}


def test_a_module_version_in_other_words_is_kept(tmp_path: Path) -> None:
    """A text that holds no version is a reason, with the text."""
    base = tmp_path / "proc/driver/nvidia"
    (base / "gpus").mkdir(parents=True)
    (base / "version").write_text("something else\n")

    view = proc_view(tmp_path)

    assert view.module_version is None
    assert view.unread["driver.kernel_module"] == Unread(
        why=Why.NOT_TEXT, raw=b"something else".hex()
    )


def test_a_device_whose_vendor_cannot_be_read_is_noted(tmp_path: Path) -> None:
    """It may be a chip: the bus view says that it is not complete."""
    root = write_trees(host_of("hgx-h100", seed="x"), tmp_path)
    before = pci_view(root)
    vendor = root / "sys/bus/pci/devices" / before.functions[0].bdf / "vendor"
    vendor.unlink()
    vendor.symlink_to(vendor.name)

    view = pci_view(root)

    assert before.unread == {}
    assert (view.functions, view.unread) == (before.functions[1:], {"pci": OS_ERROR})


def test_a_device_that_is_gone_in_the_middle_of_a_scan_is_no_fault(tmp_path: Path) -> None:
    """Hot unplug leaves a name without files for a moment."""
    root = write_trees(host_of("hgx-h100", seed="x"), tmp_path)
    (root / "sys/bus/pci/devices/0000:ff:00.0").mkdir()

    assert pci_view(root).unread == {}


def test_a_node_number_out_of_range_spoils_only_itself(tmp_path: Path) -> None:
    """A number the record does not hold is kept as bytes."""
    root = write_trees(host_of("hgx-h100", seed="x"), tmp_path)
    bdf = pci_view(root).functions[0].bdf
    (root / "sys/bus/pci/devices" / bdf / "numa_node").write_text("65536\n")

    function = pci_view(root).functions[0]

    assert function.numa_node is None
    assert function.unread["numa_node"].why is Why.OUT_OF_RANGE
