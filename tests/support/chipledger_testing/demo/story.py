"""Who is in the demo, what they were licensed for and received, and what is planted.

Every name is fictional. The times are set back from `now_ms` so that the receipts are old
enough for chips that never attested to matter.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from chipledger_book.events import ByBoard, ByCount, ByUnit, Event, Line
from chipledger_book.parties import Party
from chipledger_testing.demo.papers import licence_granted, received, site_declared
from chipledger_testing.gpu_pki import Shape
from chipledger_testing.nvml import host_of
from chipledger_testing.nvml.machine import Machine
from chipledger_testing.nvml.signing import PROTECTED_PCIE, with_signing_chips
from chipledger_testing.nvml.smi_document import smi_document
from chipledger_testing.stage import MUTE, Signing

BOARD: Final = range(8)
HIDDEN: Final = 3
"""Which chip of its board blr-h200-1 leaves out; the number of the device as well."""
SWITCHES: Final = tuple(range(4))
BY_DRIVER: Final = Signing(nvml=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One simulated server: where it stands, what it is, and when it stops answering.

    Attributes:
        signed: chips of it that sign for themselves.
    """

    name: str
    site: str
    machine: Machine
    signing: Signing = MUTE
    signed: int = 0
    falls_silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A server without an agent: its operator sends what nvidia-smi printed, so he says."""

    label: str
    site: str
    document: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything the demo tells."""

    events: tuple[Event, ...]
    hosts: tuple[Host, ...]
    declared: tuple[Declared, ...]
    planted: tuple[str, ...]


PLANTED: Final = (
    "kul-1 holds 32 H100 under a licence for 24: its authorisation is exceeded",
    (
        "waw-1 knows of its B200 in three ways: the chips of one server sign for themselves (G3),"
        " those of another are their driver's word (G1), of the third the operator sent a document"
        " (G0), which fills no hole: 8 chips are unaccounted for"
    ),
    (
        "blr-h200-1 leaves out one of its 8 H200, in all three views of the host: the switches of"
        " the board sign that 8 chips hang on them, so a finding names the one that is hidden"
    ),
    (
        "one H100 of kul-1 is reported by a host of blr-1 as well: a finding, and disputed; it"
        " signs at kul-1, so there it counts"
    ),
    (
        "three H200 servers were shipped to jkt-1 and received there on paper; two attested, the"
        " third never did, and one of the two stopped: 16 chips are looked for"
    ),
    "customs recorded a fourth server for jkt-1, and no receipt or shipment has it",
    "jkt-1 sent an A100 back, and its maker has not said that it has it",
    "the L40S host of blr-1 stops reporting: a finding, and its chip is silent",
    "a host of blr-1 holds cards that the catalogue does not know: a finding, never zero TPP",
)
"""What an auditor should find, and where it shows."""

PLANTED_FINDINGS: Final = frozenset(
    {"duplicate-identity", "hidden-chip", "silent-host", "unknown-sku"}
)
"""Types of finding that follow from reports, and must be open before the demo goes on."""


def tell(now_ms: int) -> Story:
    """Return the story as of now."""
    l40s = host_of("l40s", seed="blr-l40s")
    silent = Host(name="blr-l40s-1", site="blr-1", machine=l40s, falls_silent=True)
    hosts = (
        silent,
        *_hosts_of_kuala_lumpur(),
        *_hosts_of_bengaluru(),
        *_hosts_of_warsaw(),
        *_hosts_of_jakarta(),
    )
    mute = host_of("hgx-b200", seed="waw-3")
    declared = Declared(label="waw-b200-3", site="waw-1", document=smi_document(mute))
    return Story(events=_events(now_ms, hosts), hosts=hosts, declared=(declared,), planted=PLANTED)


def _hosts_of_kuala_lumpur() -> Iterable[Host]:
    """Four H100 servers; the chips of the first sign for themselves."""
    first, *others = (host_of("hgx-h100", seed=f"kul-{n}") for n in range(1, 5))
    signing = with_signing_chips(first, first=100)
    yield _signer("kul-h100-1", "kul-1", signing)
    for number, machine in enumerate(others, 2):
        yield Host(name=f"kul-h100-{number}", site="kul-1", machine=machine)


def _hosts_of_warsaw() -> Iterable[Host]:
    """Two B200 servers, one under confidential computing, and three trays."""
    first, second = (host_of("hgx-b200", seed=f"waw-{n}") for n in range(1, 3))
    signing = with_signing_chips(first, first=200, shape=Shape.BLACKWELL)
    yield _signer("waw-b200-1", "waw-1", signing)
    yield Host(name="waw-b200-2", site="waw-1", machine=second)
    for number in range(1, 3):
        tray = host_of("gb200-tray", seed=f"waw-tray-{number}", rack="waw-rack-1")
        yield Host(name=f"waw-gb200-{number}", site="waw-1", machine=tray)
    yield Host(name="waw-gb300-1", site="waw-1", machine=host_of("gb300-tray", seed="waw-gb300"))


def _hosts_of_jakarta() -> Iterable[Host]:
    """Two of the three servers of the delivery; one of them stops."""
    first, second = (host_of("hgx-h200", seed=f"jkt-{n}") for n in range(1, 3))
    yield Host(name="jkt-h200-1", site="jkt-1", machine=first)
    yield Host(name="jkt-h200-2", site="jkt-1", machine=second, falls_silent=True)


def _hosts_of_bengaluru() -> Iterable[Host]:
    """A server that hides a chip, one that claims a chip of another site, and small hosts.

    The one that falls silent is told of first, so that nobody has to wait for it.
    """
    board = with_signing_chips(
        host_of("hgx-h200", seed="blr-h200"), multi_gpu=PROTECTED_PCIE, switches=SWITCHES
    )
    witnesses = Signing(nvml=True, switches=SWITCHES, seen=tuple(BOARD))
    yield _signer("blr-h200-1", "blr-1", _without_chip(board, HIDDEN), signing=witnesses)
    typed_in = next(iter(_hosts_of_kuala_lumpur())).machine
    clone = _with_first_chip_of(typed_in, host_of("hgx-h100", seed="blr-h100"))
    yield Host(name="blr-h100-1", site="blr-1", machine=clone)
    yield Host(name="blr-a100-1", site="blr-1", machine=host_of("a100", seed="blr-a100"))
    yield Host(name="blr-t4-1", site="blr-1", machine=host_of("t4", seed="blr-t4"))
    desk = host_of("geforce-4060ti", seed="blr-desk")
    yield Host(name="blr-desk-1", site="blr-1", machine=desk)


def _signer(name: str, site: str, machine: Machine, *, signing: Signing = BY_DRIVER) -> Host:
    return Host(name=name, site=site, machine=machine, signing=signing, signed=len(machine.gpus))


def _without_chip(machine: Machine, index: int) -> Machine:
    """Return `machine` with one chip left out of all three views alike."""
    hidden = machine.gpus[index].pci.address
    return replace(
        machine,
        gpus=tuple(gpu for gpu in machine.gpus if gpu.pci.address != hidden),
        pci=tuple(function for function in machine.pci if function.address != hidden),
        proc=tuple(entry for entry in machine.proc if entry.address != hidden),
    )


def _with_first_chip_of(other: Machine, machine: Machine) -> Machine:
    """Return `machine` claiming, in all three views alike, the first chip of `other`."""
    return replace(
        machine,
        gpus=(other.gpus[0], *machine.gpus[1:]),
        pci=(other.pci[0], *machine.pci[1:]),
        proc=(other.proc[0], *machine.proc[1:]),
    )


def _events(now_ms: int, hosts: tuple[Host, ...]) -> tuple[Event, ...]:
    return (
        *_kuala_lumpur(now_ms),
        *_warsaw(now_ms, hosts),
        *_bengaluru(now_ms, hosts),
    )


def _kuala_lumpur(now_ms: int) -> Iterable[Event]:
    owner = Party(id="selat-compute", name="Selat Compute Sdn Bhd", headquarters="MY")
    yield site_declared(now_ms, "kul-1", owner, name="Kuala Lumpur 1", country="MY")
    yield licence_granted(now_ms, "kul-1", owner, {"H100-SXM5-80GB": 24})
    servers = tuple(f"SRV-KUL-{n:04d}" for n in range(1, 5))
    yield received(now_ms, "kul-1", 50, ByUnit(model="HGX-H100-8", serials=servers))


def _warsaw(now_ms: int, hosts: tuple[Host, ...]) -> Iterable[Event]:
    owner = Party(id="wisla-cloud", name="Wisla Cloud S.A.", headquarters="PL")
    yield site_declared(now_ms, "waw-1", owner, name="Warsaw 1", country="PL")
    yield licence_granted(
        now_ms, "waw-1", owner, {"B200-SXM6-180GB": 24, "GB200-186GB": 8, "GB300-288GB": 4}
    )
    servers = tuple(f"SRV-WAW-{n:04d}" for n in range(1, 4))
    yield received(now_ms, "waw-1", 45, ByUnit(model="HGX-B200-8", serials=servers))
    boards = sorted({s for host in hosts if host.site == "waw-1" for s in _serials(host, "GB200")})
    yield received(now_ms, "waw-1", 40, ByBoard(sku="GB200-186GB", serials=tuple(boards)))
    tray = ByUnit(model="GB300-TRAY", serials=("TRAY-WAW-0001",))
    yield received(now_ms, "waw-1", 35, tray)


def _bengaluru(now_ms: int, hosts: tuple[Host, ...]) -> Iterable[Event]:
    owner = Party(id="kaveri-ai", name="Kaveri AI Private Limited", headquarters="IN")
    yield site_declared(now_ms, "blr-1", owner, name="Bengaluru 1", country="IN")
    grant = {"H200-SXM-141GB": 8, "H100-SXM5-80GB": 8, "A100-SXM4-40GB": 4, "L40S-48GB": 4}
    yield licence_granted(now_ms, "blr-1", owner, grant)
    lines: list[Line] = [ByUnit(model="HGX-H200-8", serials=("SRV-BLR-0001",))]
    lines.append(ByUnit(model="HGX-H100-8", serials=("SRV-BLR-0002",)))
    lines.append(ByCount(sku="T4-16GB", pieces=1))
    for host in hosts:
        for sku, name in (("A100-SXM4-40GB", "A100"), ("L40S-48GB", "L40S")):
            serials = tuple(sorted(set(_serials(host, name)))) if host.site == "blr-1" else ()
            if serials:
                lines.append(ByBoard(sku=sku, serials=serials))
    yield received(now_ms, "blr-1", 30, *lines)


def _serials(host: Host, model: str) -> Iterable[str]:
    """Return the board serials of a simulated host's chips of one model."""
    for gpu in host.machine.gpus:
        if model in str(gpu.answer("name").value):
            yield str(gpu.answer("serial").value)
