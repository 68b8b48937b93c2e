"""What root tries where chips sign: other chips' names, old claims, old tokens."""

from collections.abc import Mapping, Sequence

import msgspec

from chipledger_evidence.gpu.envelope import Source, seal_envelope
from chipledger_evidence.inventory import Chip, Status, Unread
from chipledger_evidence.nonce import Kind
from chipledger_testing.collector_inside import HOUR_MS, CollectorInside
from chipledger_testing.gpu_pki import GpuMaker, Shape, hgx, unsigned_report
from chipledger_testing.hosts import SimulatedHost, inventory_of
from chipledger_testing.rounds import answer, host_of, nonce_of, reference

TWO = (GpuMaker(1), GpuMaker(2))


def sign(
    inside: CollectorInside,
    host: SimulatedHost,
    makers: Mapping[int | None, GpuMaker] | Sequence[GpuMaker] = TWO,
    *,
    switches: Sequence[GpuMaker] = (),
) -> None:
    """Let a round of `host` happen now."""
    host.now_s = inside.clock.ms // 1000
    made = answer(host, inside.nonce(host, Kind.EVIDENCE), makers, switches=switches)
    inside.report(made.token, blobs=made.blobs)
    inside.judge()


def in_turn(inside: CollectorInside, *hosts: SimulatedHost, times: int = 2) -> None:
    """Let hosts report in turn, an hour apart."""
    for _ in range(times):
        for host in hosts:
            inside.report(inside.heartbeat(host))
            inside.pass_time(HOUR_MS)


def listing(host: SimulatedHost, *chips: Chip) -> None:
    """Make a host list these chips from now on."""
    host.inventory = inventory_of(*chips)


def unnamed(chip: Chip) -> Chip:
    """Return a chip as a driver before R580 tells of it: without its PDI."""
    return msgspec.structs.replace(chip, pdi=None)


def test_another_chips_certificate_does_not_stand_for_a_known_one(
    inside: CollectorInside,
) -> None:
    """A UUID known from papers, no PDI, and a chip of one's own that signs for that line."""
    victim = inside.admit(host_of("s", TWO))
    inside.report(inside.full(victim))
    inside.pass_time(HOUR_MS)
    cheat = inside.admit(host_of("cheat", ()), site="kul-1")
    listing(cheat, unnamed(victim.inventory.chips[0]))
    inside.report(inside.full(cheat))
    sign(inside, cheat, {0: GpuMaker(9)})
    in_turn(inside, victim, cheat)

    assert inside.standings("ams-1") == ["present"] * 2
    assert "G3" not in inside.grades("kul-1")
    named = inside.rows("SELECT value FROM chip_aliases WHERE chip = 1 AND kind = 'pdi'")
    assert named == [(TWO[0].pdi,)]
    assert "identity-changed" in inside.findings()


def test_a_certificate_gives_no_name_to_a_chip_that_another_host_claims(
    inside: CollectorInside,
) -> None:
    """Neither driver tells a PDI: which chip signs is only the word of the host that says so."""
    victim = inside.admit(host_of("s", TWO, pdi=False))
    inside.report(inside.full(victim))
    inside.pass_time(HOUR_MS)
    cheat = inside.admit(host_of("cheat", ()), site="kul-1")
    listing(cheat, victim.inventory.chips[0])
    inside.report(inside.full(cheat))
    sign(inside, cheat, {0: GpuMaker(9)})
    in_turn(inside, victim, cheat)

    assert inside.standings("ams-1") == ["present"] * 2
    assert inside.rows("SELECT value FROM chip_aliases WHERE kind = 'pdi'") == []


def test_a_signature_of_an_earlier_claim_does_not_win_a_later_one(
    inside: CollectorInside,
) -> None:
    """A chip signed here, was given away, and is typed in again: its new owner's claim counts."""
    seller = inside.admit(host_of("s", TWO))
    inside.report(inside.full(seller))
    sign(inside, seller)
    chips = seller.inventory.chips
    inside.pass_time(HOUR_MS)
    listing(seller)
    inside.report(inside.full(seller))
    inside.pass_time(HOUR_MS)
    buyer = inside.admit(host_of("buyer", ()), site="kul-1")
    listing(buyer, *chips)
    inside.report(inside.full(buyer))
    inside.pass_time(HOUR_MS)
    listing(seller, *chips)
    inside.report(inside.full(seller))
    inside.pass_time(HOUR_MS)
    in_turn(inside, buyer, seller)

    assert inside.standings("kul-1") == ["present"] * 2
    assert inside.standings("ams-1") == ["disputed"] * 2


def test_a_rival_is_expected_to_show_what_the_chip_showed_elsewhere(
    inside: CollectorInside,
) -> None:
    """With or without a restart between: what was typed in falls below what the chip can do."""
    owner = inside.admit(host_of("s", TWO))
    cheat = inside.admit(host_of("cheat", ()), site="kul-1")
    listing(cheat, *owner.inventory.chips)
    inside.report(inside.full(owner), inside.full(cheat))
    sign(inside, owner)
    for _ in range(28):
        inside.pass_time(HOUR_MS)
        inside.report(inside.heartbeat(cheat))

    assert inside.rows("SELECT host FROM findings WHERE type = 'grade-drop'") == [(cheat.host,)]


def test_a_round_before_its_inventory_hides_no_chip(inside: CollectorInside) -> None:
    """The full report was lost on its way: what the host lists is not known yet."""
    gpus, switches = hgx()
    host = inside.admit(host_of("s", gpus))
    sign(inside, host, gpus, switches=switches)

    assert inside.findings() == []


def test_a_chip_that_does_not_answer_is_not_hidden(inside: CollectorInside) -> None:
    """NVML lists it by its index alone; the switch's word cannot be held against anything."""
    gpus, switches = hgx()
    host = inside.admit(host_of("s", gpus))
    inside.report(inside.full(host))
    chips = host.inventory.chips
    lost = Chip(index=7, lost=Unread(nvml=15), pci=chips[7].pci)
    host.inventory = msgspec.structs.replace(host.inventory, chips=(*chips[:7], lost))
    inside.report(inside.full(host))
    sign(inside, host, gpus[:7], switches=switches)

    assert "hidden-chip" not in inside.findings()
    assert "scan-incomplete" in inside.findings()


def test_a_failed_scan_hides_no_chip(inside: CollectorInside) -> None:
    """The board's controller still answers while the driver is being updated."""
    gpus, switches = hgx()
    host = inside.admit(host_of("s", gpus))
    inside.report(inside.full(host))
    host.inventory = msgspec.structs.replace(
        host.inventory, status=Status.NVML_UNRESPONSIVE, chips=(), device_count=None
    )
    inside.report(inside.full(host))
    sign(inside, host, {None: gpus[0]}, switches=switches)

    assert "hidden-chip" not in inside.findings()
    assert "scan-incomplete" in inside.findings()


def test_a_token_out_of_its_place_lists_no_chip(inside: CollectorInside) -> None:
    """A second history of the host names its old inventory; what it lists now hides a chip."""
    gpus, switches = hgx()
    host = inside.admit(host_of("s", gpus))
    inside.report(inside.full(host))
    whole, before = host.inventory, (host.seq, host.prev)
    listing(host, *whole.chips[:7])
    inside.report(inside.full(host))
    inside.report(inside.heartbeat(host))
    now = (host.seq, host.prev, host.inventory)
    host.seq, host.prev, host.inventory = (*before, whole)
    sign(inside, host, gpus, switches=switches)
    host.seq, host.prev, host.inventory = now

    assert inside.rows("SELECT count(*) FROM signatures") == [(0,)]
    sign(inside, host, gpus[:7], switches=switches)
    assert "hidden-chip" in inside.findings()


def test_switches_of_another_board_take_no_hidden_chip_back(inside: CollectorInside) -> None:
    """Only who named the chip can say that it is gone."""
    gpus, switches = hgx()
    host = inside.admit(host_of("s", gpus[:7]))
    inside.report(inside.full(host))
    sign(inside, host, gpus[:7], switches=switches)
    assert inside.findings() == ["hidden-chip"]
    inside.pass_time(HOUR_MS)
    sign(inside, host, (), switches=[GpuMaker(9, Shape.SWITCH)])

    assert inside.findings() == ["hidden-chip"]


def test_giving_a_chip_up_for_one_report_does_not_renew_what_is_expected(
    inside: CollectorInside,
) -> None:
    """A sold chip that is left out once a day falls below what it showed all the same."""
    host = inside.admit(host_of("s", TWO))
    inside.report(inside.full(host))
    sign(inside, host)
    chips = host.inventory.chips
    for hour in range(28):
        inside.pass_time(HOUR_MS)
        listing(host, *(() if hour == 20 else chips))
        inside.report(inside.full(host))

    assert "grade-drop" in inside.findings()


def test_a_model_that_is_told_between_rounds_alone_is_found(inside: CollectorInside) -> None:
    """The truth while the chip signs, another model for the rest of the day."""
    host = inside.admit(host_of("s", TWO))
    inside.report(inside.full(host))
    sign(inside, host)
    truth = host.inventory
    for told in (_as_another_model(truth.chips[0]), truth.chips[0]):
        inside.pass_time(HOUR_MS)
        listing(host, told, truth.chips[1])
        inside.report(inside.full(host))
    sign(inside, host)
    assert inside.findings() == ["cert-nvml-mismatch"]

    inside.pass_time(HOUR_MS)
    sign(inside, host)
    assert inside.findings() == []
    before = inside.derived()
    inside.replay()
    assert inside.derived() == before


def _as_another_model(chip: Chip) -> Chip:
    assert chip.pci is not None
    pci = msgspec.structs.replace(chip.pci, device="290110de")
    return msgspec.structs.replace(chip, pci=pci)


def test_lists_that_nobody_signed_do_not_fill_the_log(inside: CollectorInside) -> None:
    """One small blob named 128 times, with as long a list of switches as a report can hold."""
    host = inside.admit(host_of("s", TWO))
    inside.report(inside.full(host))
    host.now_s = inside.clock.ms // 1000
    challenge = inside.nonce(host, Kind.EVIDENCE)
    nonce = nonce_of(host, challenge)
    switches = b"".join(number.to_bytes(8) for number in range(1, 961))
    forged = unsigned_report(nonce, [(22, switches)], blocks=1) + bytes(96)
    blob = seal_envelope(
        source=Source.NVML, transcript=forged, chain=GpuMaker(1).chain(), nonce=nonce
    )
    inside.report(host.heartbeat(challenge, evidence=(reference(blob),) * 128), blobs=(blob,))
    inside.judge()

    ((size,),) = inside.rows("SELECT length(record) FROM records WHERE type = 'result'")
    assert size < 256 * 1024
