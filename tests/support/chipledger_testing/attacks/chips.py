"""Attacks on what chips are said to be, and where."""

from collections.abc import Sequence

from msgspec.structs import replace

from chipledger_evidence.inventory import (
    Chip,
    Counters,
    Inventory,
    PciFunction,
    PciKind,
    Status,
    Unread,
)
from chipledger_testing.attacks.field import Field
from chipledger_testing.attacks.registry import scenario
from chipledger_testing.gpu_pki import GpuMaker
from chipledger_testing.hosts import SimulatedHost, chip_of, inventory_of
from chipledger_testing.rounds import host_of

HALF_HOUR_MS = 1_800_000


def at(chip: Chip, index: int) -> Chip:
    """Return a chip in the slot that a host's chip of that index has."""
    return replace(chip, index=index, pci=chip_of("slot", index).pci, minor=index)


def listing(*chips: Chip) -> Inventory:
    """Return an inventory of chips in the slots of their places."""
    return inventory_of(*(at(chip, index) for index, chip in enumerate(chips)))


def invented(number: int) -> Chip:
    """Return a chip that never was."""
    return chip_of("invented", number)


def without(host: SimulatedHost, index: int) -> Inventory:
    """Return a host's inventory without one chip, the others where they were."""
    kept = [chip for place, chip in enumerate(host.inventory.chips) if place != index]
    return inventory_of(*(replace(chip, index=place) for place, chip in enumerate(kept)))


def changed(host: SimulatedHost, index: int, **changes: object) -> Inventory:
    """Return a host's inventory with one chip changed, in every view."""
    chips = list(host.inventory.chips)
    chips[index] = replace(chips[index], **changes)
    return inventory_of(*chips)


@scenario("fake-library-careless")
def fake_library_careless(field: Field) -> None:
    """A library from another folder is preloaded."""
    host = field.host("a")
    field.begin()
    provider = host.inventory.provider
    library = None
    if provider.library is not None:
        library = replace(provider.library, path="/opt/other/libnvidia-ml.so.1", owner_uid=1000)
    provider = replace(provider, library=library, preload=True)
    host.inventory = replace(host.inventory, provider=provider)
    field.full(host)


@scenario("library-replaced")
def library_replaced(field: Field) -> None:
    """One host of four shows another file at the driver's own place."""
    host, *_ = [field.host(f"h{number}") for number in range(4)]
    field.begin()
    provider = host.inventory.provider
    library = provider.library and replace(provider.library, sha256="00" * 32)
    host.inventory = replace(host.inventory, provider=replace(provider, library=library))
    field.full(host)


@scenario("unknown-model")
def unknown_model(field: Field) -> None:
    """A name and a device id that nobody knows."""
    host = field.host("a")
    field.begin()
    pci = host.inventory.chips[1].pci
    unknown = None if pci is None else replace(pci, device="ffff10de")
    host.inventory = changed(host, 1, name="NVIDIA X9000", pci=unknown)
    field.full(host)


@scenario("fake-library-careful")
def fake_library_careful(field: Field) -> None:
    """A chip that never was stands in all three views."""
    host = field.host("a")
    field.begin()
    host.inventory = listing(*host.inventory.chips, invented(0))
    field.suspects = (2,)
    field.full(host)
    field.live(28)


@scenario("one-view-faked")
def one_view_faked(field: Field) -> None:
    """NVML names another UUID than the kernel module."""
    host = field.host("a")
    field.begin()
    proc = (replace(host.inventory.proc[0], uuid=invented(0).uuid), *host.inventory.proc[1:])
    host.inventory = replace(host.inventory, proc=proc)
    field.full(host)


@scenario("one-chip-listed-twice")
def one_chip_listed_twice(field: Field) -> None:
    """The second chip bears the names of the first."""
    host = field.host("a")
    first = host.inventory.chips[0]
    field.begin()
    host.inventory = changed(host, 1, uuid=first.uuid, pdi=first.pdi, serial=first.serial)
    field.full(host)


@scenario("one-chip-answers-for-many")
def one_chip_answers_for_many(field: Field) -> None:
    """One real chip, two invented ones; its evidence is sent for each of them."""
    host = field.host("a", chips=1)
    field.begin()
    host.inventory = listing(*host.inventory.chips, invented(0), invented(1))
    field.suspects = (1, 2)
    field.full(host)
    maker = field.makers(host)[0]
    field.sign(host, dict.fromkeys(range(3), maker))
    field.live(13)


def claim(
    field: Field, victim: SimulatedHost, *, relayed: Sequence[GpuMaker] = ()
) -> SimulatedHost:
    """Return a host at another site that lists the first chip of `victim` beside its own."""
    own = GpuMaker(901)
    thief = host_of("thief", [own])
    thief.inventory = listing(victim.inventory.chips[0], *thief.inventory.chips)
    return field.arrive(thief, [*relayed, own], site="kul-1")


@scenario("identity-typed-in")
def identity_typed_in(field: Field) -> None:
    """A thief lists a chip of a host that goes on reporting."""
    victim = field.host("a")
    field.begin()
    claim(field, victim)
    field.live(1)


@scenario("identity-typed-in-first")
def identity_typed_in_first(field: Field) -> None:
    """A thief lists a chip before its owner is enrolled."""
    makers = [GpuMaker(801), GpuMaker(802)]
    owner = host_of("owner", makers)
    claim(field, owner)
    field.live(1)
    field.begin()
    field.arrive(owner, makers)
    field.live(1)


@scenario("relayed-chip-reported-twice")
def relayed_chip_reported_twice(field: Field) -> None:
    """A chip signs for its own host and, relayed, for another one that lists it."""
    victim = field.host("a")
    field.begin()
    claim(field, victim, relayed=field.makers(victim)[:1])
    field.live(1)


@scenario("relayed-chip-unreported")
def relayed_chip_unreported(field: Field) -> None:
    """A chip that stands elsewhere, unreported, signs for this host."""
    host = field.host("a")
    field.begin()
    far = GpuMaker(901)
    field.makers(host).append(far)
    host.inventory = listing(*host.inventory.chips, *host_of("far", [far]).inventory.chips)
    field.full(host)
    field.live(14)


@scenario("pdi-changed-under-uuid")
def pdi_changed_under_uuid(field: Field) -> None:
    """A known UUID stands on another die."""
    host = field.host("a")
    field.begin()
    host.inventory = changed(host, 1, pdi="00000000deadbeef")
    field.full(host)


@scenario("serial-moved")
def serial_moved(field: Field) -> None:
    """A board's serial is given to another chip."""
    host = field.host("a")
    field.begin()
    host.inventory = changed(host, 1, serial="1650000000001")
    field.full(host)


@scenario("labels-on-dummies")
def labels_on_dummies(field: Field) -> None:
    """Four boards were received, two report."""
    field.host("a")
    field.begin()
    field.booked = 4
    field.live(2)


def hide(field: Field, *, passed_through: bool) -> None:
    """Take the second chip out of the host's sight, or hand it to a guest."""
    host = field.host("a")
    field.booked = 2
    pci = host.inventory.chips[1].pci
    field.begin()
    host.inventory = without(host, 1)
    if passed_through and pci is not None:
        function = PciFunction(
            bdf=pci.bdf,
            kind=PciKind.GPU,
            device=pci.device,
            subsystem=pci.subsystem,
            class_code="030200",
            driver="vfio-pci",
        )
        host.inventory = replace(host.inventory, pci=(*host.inventory.pci, function))
    field.full(host)
    field.live(13)


@scenario("chip-handed-to-vfio")
def chip_handed_to_vfio(field: Field) -> None:
    """It is on the PCI bus and bound to another driver."""
    hide(field, passed_through=True)


@scenario("chip-hidden-from-the-host")
def chip_hidden_from_the_host(field: Field) -> None:
    """It is in no view at all."""
    hide(field, passed_through=False)


@scenario("sold-chip-spoofed-carelessly")
def sold_chip_spoofed_carelessly(field: Field) -> None:
    """What reports for the chip begins its odometers anew."""
    host = field.host("a")
    field.live(2)
    field.begin()
    new = Counters(
        ecc_corrected=0,
        ecc_uncorrected=0,
        rows_corrected=0,
        rows_uncorrected=0,
        bbx_seconds=3600,
    )
    field.beat(host, counters=(new, new))


@scenario("chips-shown-at-two-sites")
def chips_shown_at_two_sites(field: Field) -> None:
    """The same two chips, an hour by van apart, each half of an hour."""
    one = field.host("a")
    shown, makers = one.inventory, list(field.makers(one))
    two = host_of("b", makers)
    two.inventory = shown
    field.begin()
    field.inside.pass_time(HALF_HOUR_MS)
    field.arrive(two, makers, site="kul-1")
    field.inside.pass_time(HALF_HOUR_MS)
    field.beat(one)


@scenario("chips-shuttled-between-audits")
def chips_shuttled_between_audits(field: Field) -> None:
    """They leave one site, and are at the other hours later."""
    one, two = field.host("a"), field.host("b", site="kul-1", chips=1)
    moved, makers = one.inventory.chips, list(field.makers(one))
    field.begin()
    one.inventory = inventory_of()
    field.makers(one).clear()
    field.full(one)
    field.live(5)
    own = two.inventory.chips
    two.inventory = listing(*own, *moved)
    field.makers(two).extend(makers)
    field.full(two)
    field.live(5)


@scenario("rma-laundering")
def rma_laundering(field: Field) -> None:
    """Another board stands where the faulty one was."""
    host = field.host("a")
    field.begin()
    spare = GpuMaker(901)
    field.makers(host)[1] = spare
    chip = host_of("spare", [spare]).inventory.chips[0]
    host.inventory = listing(host.inventory.chips[0], chip)
    field.full(host)


@scenario("field-said-unsupported")
def field_said_unsupported(field: Field) -> None:
    """The board's serial number is suddenly not to be had."""
    host = field.host("a")
    field.begin()
    unread = {**host.inventory.chips[1].unread, "serial": Unread(nvml=3)}
    host.inventory = changed(host, 1, serial=None, unread=unread)
    field.full(host)


@scenario("scan-made-to-fail")
def scan_made_to_fail(field: Field) -> None:
    """NVML answers with an error and nothing is listed."""
    host = field.host("a")
    field.begin()
    host.inventory = replace(
        host.inventory,
        status=Status.NVML_ERROR,
        error=Unread(nvml=999),
        chips=(),
        device_count=None,
    )
    field.full(host)
