"""Evidence through NVML: what the child asks and when it stops, what the parent makes of it."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from chipledger_agent.domain.evidence import Gathered
from chipledger_agent.gpu_evidence.nvml import NvmlSource
from chipledger_agent.scan.evidence import collect
from chipledger_agent.scan.evidence_lines import (
    Ended,
    EvidenceLine,
    Failed,
    Mode,
    NoLibrary,
    Signed,
    encode_line,
    evidence_command,
)
from chipledger_agent.scan.process import spawn
from chipledger_agent.scan.source import LoadedLibrary
from chipledger_evidence.gpu.verify import DeviceClass, Fact, verify_evidence
from chipledger_evidence.inventory import Inventory, Unread
from chipledger_testing.agent_ports import ManualClock
from chipledger_testing.gpu_pki import NOW, PKI, GpuMaker
from chipledger_testing.nvml import Machine, host_of, junk, refuse, write_machine
from chipledger_testing.nvml.child import scan_in_process
from chipledger_testing.nvml.evidence_child import lines_of, mock_evidence_command
from chipledger_testing.nvml.library import MockLibrary, installed
from chipledger_testing.nvml.process import FakeChild, FakeSpawn, WaitingClock
from chipledger_testing.nvml.signing import with_signing_chips

NONCE = bytes(range(32))
CALL = "nvmlDeviceGetConfComputeGpu"


@pytest.fixture
def machine() -> Machine:
    """Return an H100 host under confidential computing whose chips sign."""
    return with_signing_chips(host_of("hgx-h100", seed="cc"))


def inventory_of(machine: Machine, root: Path) -> Inventory:
    """Return what a scan sees of `machine`."""
    return scan_in_process(machine, root).inventory


def said(output: Sequence[EvidenceLine]) -> bytes:
    """Return what a child that told these lines wrote."""
    return b"".join(map(encode_line, output))


def gathered(output: bytes, inventory: Inventory, **child: object) -> Gathered:
    """Return what the parent makes of a child with this output."""
    clock = WaitingClock()
    fake = FakeChild(clock, output=output, **child)  # type: ignore[arg-type] # its own fields
    source = NvmlSource(("child",), monotonic_ms=clock, spawn=FakeSpawn([fake]))
    return source.gather(NONCE, inventory, within_s=60)


def test_every_chip_signs_over_the_nonce(machine: Machine) -> None:
    """One report and chain each, which verify as that chip's."""
    lines = lines_of(machine, NONCE)
    signed = [line for line in lines if isinstance(line, Signed)]

    assert [line.index for line in signed] == list(range(8))
    for line in signed:
        facts = verify_evidence(line.report, line.chain, nonce=NONCE, pins=PKI.pins, now=NOW)
        assert facts.device_class is DeviceClass.GPU
        assert (facts.signature, facts.nonce) == (Fact.PASS, Fact.PASS)
        assert facts.pdi == GpuMaker(line.index).pdi
    assert lines[0] == Mode(on=True)
    assert lines[-1] == Ended()


@pytest.mark.parametrize("multi_gpu", [1, 2])
def test_protected_pcie_and_nvlink_encryption_are_modes_too(multi_gpu: int) -> None:
    """Confidential computing itself is off in them."""
    machine = with_signing_chips(host_of("hgx-h100", seed="cc"), multi_gpu=multi_gpu)

    assert sum(isinstance(line, Signed) for line in lines_of(machine, NONCE)) == 8


def test_nothing_is_asked_where_no_mode_is_on() -> None:
    """Not one call for evidence, whatever the chips could do."""
    machine = with_signing_chips(host_of("hgx-h100", seed="cc"))
    off = machine.with_system(
        conf_compute={"environment": 0, "cc_feature": 0, "dev_tools": 0, "multi_gpu": 0}
    )
    library = MockLibrary(off)
    lines: list[EvidenceLine] = []
    with installed(library):
        collect(Given(library), NONCE, lines.append)

    assert lines == [Mode(on=False), Ended()]
    assert not [name for name in library.calls if name.startswith(CALL)]


class Given:
    """A source whose library the test can look at."""

    kind = "mock"

    def __init__(self, library: MockLibrary) -> None:
        self._library = library

    def load(self) -> LoadedLibrary:
        """Return it."""
        return LoadedLibrary(calls=self._library, unread={})


def test_an_old_driver_that_knows_no_settings_is_asked_by_its_state(machine: Machine) -> None:
    """The settings call came with 550, evidence with 535."""
    old = machine.with_system(driver_version="535.230.02")

    assert sum(isinstance(line, Signed) for line in lines_of(old, NONCE)) == 8


@pytest.mark.parametrize(
    ("field", "call"), [("cc_certificate", "Certificate"), ("cc_report", "AttestationReport")]
)
def test_after_a_call_that_failed_no_chip_is_asked_any_more(
    machine: Machine, field: str, call: str
) -> None:
    """Under confidential computing a failed call can end the mode for all."""
    broken = machine.with_gpu(2, **{field: refuse(999)})
    lines = lines_of(broken, NONCE)

    assert [line.index for line in lines if isinstance(line, Signed)] == [0, 1]
    assert lines[-2:] == [Failed(call=CALL + call, error=Unread(nvml=999), index=2), Ended()]


def test_a_lost_chip_does_not_keep_the_others_from_signing(machine: Machine) -> None:
    """Its handle fails, which is no call for evidence; the scan tells that it is lost."""
    lines = lines_of(machine.with_gpu(0, handle=refuse(15)), NONCE)

    assert [line.index for line in lines if isinstance(line, Signed)] == list(range(1, 8))


@pytest.mark.parametrize("size", [0, 0x2001, 0x3000])
def test_a_size_that_the_buffer_does_not_hold_is_a_reason(machine: Machine, size: int) -> None:
    """A driver that lies about lengths makes us read nothing beyond."""
    lines = lines_of(machine.with_gpu(0, cc_report=junk(bytes(size))), NONCE)

    assert not [line for line in lines if isinstance(line, Signed)]
    (failed,) = [line for line in lines if isinstance(line, Failed)]
    assert failed.error.why == "out-of-range"


def test_the_parent_names_chips_by_their_place(machine: Machine, tmp_path: Path) -> None:
    """As the inventory lists them."""
    inventory = inventory_of(machine, tmp_path)
    result = gathered(said(lines_of(machine, NONCE)), inventory)

    assert [item.chip for item in result.found] == list(range(8))
    assert result.reasons == ()
    assert result.found[3].chain == GpuMaker(3).chain()


def test_chips_after_a_failure_each_have_a_reason(machine: Machine, tmp_path: Path) -> None:
    """None is without a word."""
    inventory = inventory_of(machine, tmp_path)
    result = gathered(said(lines_of(machine.with_gpu(2, cc_report=refuse(7)), NONCE)), inventory)

    assert [item.chip for item in result.found] == [0, 1]
    assert [(reason.chip, reason.code) for reason in result.reasons] == [
        (2, "nvml-error-7"),
        *((chip, "not-asked-after-failure") for chip in range(3, 8)),
    ]


def test_what_was_signed_before_a_hang_stands(machine: Machine, tmp_path: Path) -> None:
    """The child is killed at its deadline."""
    inventory = inventory_of(machine, tmp_path)
    first = [line for line in lines_of(machine, NONCE) if isinstance(line, Signed)][:1]
    result = gathered(said([Mode(on=True), *first]), inventory, hangs=True)

    assert [item.chip for item in result.found] == [0]
    assert result.reasons[0].code == "deadline"
    assert len(result.reasons) == 8


def test_no_child_is_started_on_top_of_a_stuck_one(machine: Machine, tmp_path: Path) -> None:
    """A call that cannot be ended holds the driver; a second would hang as well."""
    inventory = inventory_of(machine, tmp_path)
    clock = WaitingClock()
    stuck = FakeChild(clock, hangs=True, unkillable=True)
    fake = FakeSpawn([stuck, FakeChild(clock, output=said(lines_of(machine, NONCE)))])
    source = NvmlSource(("child",), monotonic_ms=clock, spawn=fake)

    assert source.gather(NONCE, inventory, within_s=60).reasons[0].code == "deadline"
    assert source.gather(NONCE, inventory, within_s=60).reasons[0].code == "still-being-asked"
    stuck.gone = True
    assert len(source.gather(NONCE, inventory, within_s=60).found) == 8


@pytest.mark.parametrize(
    ("output", "code", "reason"),
    [
        (said([NoLibrary(), Ended()]), 0, "nvml-absent"),
        (said([Mode(on=False), Ended()]), 0, "cc-off"),
        (
            said([Failed(call="nvmlInitWithFlags", error=Unread(nvml=18)), Ended()]),
            0,
            "nvml-error-18",
        ),
        (b"Segmentation fault\n", -11, "nvml-child-failed"),
        (b"", 1, "nvml-child-failed"),
        (b'{"line":"signed","index":99,"chain":"","report":""}\n', 0, "nvml-child-failed"),
        (b"[" * 100_000 + b"\n", 0, "nvml-child-failed"),
    ],
)
def test_every_other_ending_is_one_reason(
    machine: Machine, tmp_path: Path, output: bytes, code: int, reason: str
) -> None:
    """For the whole host."""
    result = gathered(output, inventory_of(machine, tmp_path), code=code)

    assert result.found == ()
    assert [item.code for item in result.reasons] == [reason]


def test_a_child_that_cannot_be_started_is_a_reason(machine: Machine, tmp_path: Path) -> None:
    """Not an error of the cycle."""
    source = NvmlSource(("child",), monotonic_ms=WaitingClock(), spawn=FakeSpawn([]))

    (reason,) = source.gather(NONCE, inventory_of(machine, tmp_path), within_s=60).reasons
    assert reason.code == "nvml-child-failed"


def test_no_child_is_started_where_the_scan_saw_no_mode(tmp_path: Path) -> None:
    """An H100 outside confidential computing stays self-reported."""
    inventory = inventory_of(host_of("hgx-h100", seed="plain"), tmp_path)
    fake = FakeSpawn([])
    source = NvmlSource(("child",), monotonic_ms=WaitingClock(), spawn=fake)

    assert source.gather(NONCE, inventory, within_s=60).reasons[0].code == "cc-off"
    assert fake.commands == []


def test_a_real_child_process_brings_the_same(machine: Machine, tmp_path: Path) -> None:
    """Started by exec, told by lines, ended."""
    path = write_machine(machine, tmp_path / "machine.json")
    (tmp_path / "root").mkdir()
    inventory = inventory_of(machine, tmp_path / "root")
    source = NvmlSource(
        mock_evidence_command(path), monotonic_ms=ManualClock().monotonic_ms, spawn=spawn
    )
    result = source.gather(NONCE, inventory, within_s=60)

    facts = [
        verify_evidence(item.transcript, item.chain, nonce=NONCE, pins=PKI.pins, now=NOW)
        for item in result.found
    ]
    assert [each.pdi for each in facts] == [GpuMaker(index).pdi for index in range(8)]
    assert {(each.signature, each.nonce) for each in facts} == {(Fact.PASS, Fact.PASS)}


def test_the_command_takes_absolute_paths_only() -> None:
    """A library is never looked for."""
    with pytest.raises(ValueError, match="absolute"):
        evidence_command(libraries=[Path("libnvidia-ml.so.1")])
    assert msgspec.json.decode(encode_line(Ended())) == {"line": "ended"}
