"""What chips sign: the grade it gives, how long, and every way to sign less than one says."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec
import pytest

from chipledger_evidence.answers import RefusedToken
from chipledger_evidence.claims import NoEvidence
from chipledger_evidence.nonce import Kind
from chipledger_server.adapters.keys import SqliteKeys
from chipledger_server.wiring import SIGNATURE_MS
from chipledger_testing.claims import WITHOUT
from chipledger_testing.collector_inside import HOUR_MS, CollectorInside
from chipledger_testing.gpu_pki import PKI, GpuMaker, Pki, Shape, hgx
from chipledger_testing.hosts import SimulatedHost, inventory_of
from chipledger_testing.rounds import answer, blob_of, host_of, nonce_of, reference

TWO = (GpuMaker(1), GpuMaker(2))


def admitted(
    inside: CollectorInside, makers: Sequence[GpuMaker] = TWO, *, pdi: bool = True
) -> SimulatedHost:
    """Return a host that has told which chips it holds."""
    host = inside.admit(host_of("s", makers, pdi=pdi))
    inside.report(inside.full(host))
    return host


def sign(
    inside: CollectorInside,
    host: SimulatedHost,
    makers: Mapping[int | None, GpuMaker] | Sequence[GpuMaker] = TWO,
    *,
    switches: Sequence[GpuMaker] = (),
    nonce: bytes | None = None,
) -> None:
    """Let a round of `host` happen now."""
    host.now_s = inside.clock.ms // 1000
    challenge = inside.nonce(host, Kind.EVIDENCE)
    made = answer(host, challenge, makers, switches=switches, nonce=nonce)
    inside.report(made.token, blobs=made.blobs)
    inside.judge()


def live(inside: CollectorInside, host: SimulatedHost, hours: int) -> None:
    """Let hours pass in which a host reports as it should."""
    for _ in range(hours):
        inside.pass_time(HOUR_MS)
        inside.report(inside.heartbeat(host))


def test_a_chip_that_signs_is_known_by_its_signature(inside: CollectorInside) -> None:
    """Before the round the driver's word is all there is; the other chip did not sign."""
    host = admitted(inside)
    before = inside.grades("ams-1")
    sign(inside, host, TWO[:1])

    assert before == ["G1", "G1"]
    assert inside.grades("ams-1") == ["G3", "G1"]
    assert inside.findings() == []


def test_a_signature_counts_for_26_hours_and_its_end_is_a_finding(
    inside: CollectorInside,
) -> None:
    """What a chip once showed is expected of it; a new round resolves the finding."""
    host = admitted(inside)
    sign(inside, host)
    at_ms = inside.clock.ms
    live(inside, host, 26)
    assert inside.clock.ms == at_ms + SIGNATURE_MS
    assert (inside.grades("ams-1"), inside.findings()) == (["G3", "G3"], [])

    live(inside, host, 1)
    assert (inside.grades("ams-1"), inside.findings()) == (["G1", "G1"], ["grade-drop"])
    assert inside.detail("grade-drop")["count"] == 2

    sign(inside, host)
    assert (inside.grades("ams-1"), inside.findings()) == (["G3", "G3"], [])
    assert inside.grades("ams-1", at_ms=at_ms + SIGNATURE_MS) == ["G3", "G3"]
    assert inside.grades("ams-1", at_ms=at_ms + SIGNATURE_MS + 1) == ["G1", "G1"]


def test_a_drop_is_found_after_a_restart(inside: CollectorInside) -> None:
    """What is expected of chips is in the database, not in the process."""
    host = admitted(inside)
    sign(inside, host)
    inside.restart()
    live(inside, host, 27)

    assert inside.findings() == ["grade-drop"]


def test_a_chip_that_moved_is_expected_to_sign_where_it_is(inside: CollectorInside) -> None:
    """Its new host gets as long as any other to let it."""
    host, other = admitted(inside), inside.admit(host_of("other", TWO), site="kul-1")
    sign(inside, host)
    host.inventory = inventory_of()
    inside.report(inside.full(host))
    inside.report(inside.full(other))
    live(inside, other, 26)
    assert "grade-drop" not in inside.findings()
    live(inside, other, 1)

    assert "grade-drop" in inside.findings()
    assert inside.detail("grade-drop")["count"] == 2


def test_a_certificate_names_a_chip_whose_driver_does_not(inside: CollectorInside) -> None:
    """Drivers before R580 tell no PDI: the chip stays the same one when the driver learns it."""
    host = admitted(inside, pdi=False)
    sign(inside, host)
    assert inside.grades("ams-1") == ["G3", "G3"]
    chips = inside.rows("SELECT id FROM chips")

    host.inventory = host_of("s", TWO).inventory
    inside.report(inside.full(host))
    assert inside.rows("SELECT id FROM chips") == chips
    assert (inside.grades("ams-1"), inside.findings()) == (["G3", "G3"], [])


def test_evidence_made_before_proves_nothing(inside: CollectorInside) -> None:
    """A kept report with a fresh token: the nonce in it is not this round's."""
    host = admitted(inside)
    old = nonce_of(host, inside.nonce(host, Kind.EVIDENCE))
    inside.pass_time(HOUR_MS)
    sign(inside, host, nonce=old)

    assert inside.grades("ams-1") == ["G1", "G1"]
    assert inside.findings() == ["evidence-refused"]


def test_evidence_made_for_another_host_proves_nothing(inside: CollectorInside) -> None:
    """The device nonce is bound to the host's key."""
    host, other = admitted(inside), inside.admit(host_of("other", ()), site="kul-1")
    sign(inside, host, nonce=nonce_of(other, inside.nonce(host, Kind.EVIDENCE)))

    assert inside.grades("ams-1") == ["G1", "G1"]
    assert inside.findings() == ["evidence-refused"]


def test_a_late_round_raises_no_grade(inside: CollectorInside) -> None:
    """A token that comes when its challenge has ended is kept, and says nothing of now."""
    host = admitted(inside)
    challenge = inside.nonce(host, Kind.EVIDENCE)
    inside.pass_time(HOUR_MS)
    host.now_s = inside.clock.ms // 1000
    made = answer(host, challenge, TWO)
    inside.report(made.token, blobs=made.blobs)
    inside.judge()

    assert inside.grades("ams-1") == ["G1", "G1"]
    assert inside.rows("SELECT count(*) FROM evidence_due") == [(0,)]


def test_an_epoch_value_is_no_nonce_for_chips(inside: CollectorInside) -> None:
    """It can be known for hours, in which a chip may sign anywhere."""
    host = admitted(inside)
    host.now_s = inside.clock.ms // 1000
    made = answer(host, inside.nonce(host, Kind.EPOCH), TWO)
    inside.report(made.token, blobs=made.blobs)
    inside.judge()

    assert inside.grades("ams-1") == ["G1", "G1"]


def test_a_statement_that_did_not_come_is_none(inside: CollectorInside) -> None:
    """The token names it; its bytes never came."""
    host = admitted(inside)
    host.now_s = inside.clock.ms // 1000
    challenge = inside.nonce(host, Kind.EVIDENCE)
    blob = blob_of(TWO[0], nonce_of(host, challenge))
    inside.report(host.heartbeat(challenge, evidence=(reference(blob, chip=0),)))
    inside.judge()

    assert inside.grades("ams-1") == ["G1", "G1"]
    assert inside.detail("evidence-refused")["code"] == "no-report"


@pytest.mark.parametrize("shape", [Shape.SWITCH, Shape.EROT])
def test_nothing_but_a_gpu_passes_for_one(inside: CollectorInside, shape: Shape) -> None:
    """Its chain ends in the same root, and its signature is good."""
    host = admitted(inside)
    sign(inside, host, {0: GpuMaker(1, shape)})

    assert inside.grades("ams-1") == ["G1", "G1"]
    assert inside.detail("evidence-refused")["code"] == "not-a-gpu"


def test_another_maker_of_the_same_names_is_not_believed(inside: CollectorInside) -> None:
    """The root is pinned by its key."""
    host = admitted(inside)
    sign(inside, host, [replace(maker, pki=Pki(seed="somebody")) for maker in TWO])

    assert inside.grades("ams-1") == ["G1", "G1"]
    assert inside.detail("evidence-refused")["code"] == "chain-wrong-root"


def test_a_certificate_of_another_chip_raises_nothing(inside: CollectorInside) -> None:
    """The driver says one PDI, the certificate another: neither gets a better grade."""
    host = admitted(inside)
    sign(inside, host, {0: GpuMaker(3)})

    assert inside.grades("ams-1") == ["G1", "G1"]
    assert "cert-nvml-mismatch" in inside.findings()


def test_a_chip_named_as_another_model_is_found(inside: CollectorInside) -> None:
    """A Blackwell chip behind an H100's name and PCI id."""
    makers = [GpuMaker(1, Shape.BLACKWELL)]
    host = admitted(inside, makers)
    sign(inside, host, makers)

    assert inside.grades("ams-1") == ["G1"]
    assert inside.findings() == ["cert-nvml-mismatch"]
    assert "GB100" in inside.detail("cert-nvml-mismatch")["differences"][0]


def test_a_chip_that_switches_name_and_the_host_hides_is_found(inside: CollectorInside) -> None:
    """Eight chips on the board, seven in the inventory; whole, the witnesses agree."""
    gpus, switches = hgx()
    host = admitted(inside, gpus[:7])
    sign(inside, host, gpus[:7], switches=switches)
    assert inside.findings() == ["hidden-chip"]
    assert inside.detail("hidden-chip")["chips"] == [gpus[7].pdi]
    assert inside.grades("ams-1") == ["G3"] * 7

    host.inventory = host_of("s", gpus).inventory
    inside.report(inside.full(host))
    sign(inside, host, gpus, switches=switches)
    assert (inside.grades("ams-1"), inside.findings()) == (["G3"] * 8, [])


def test_a_chip_that_signs_and_is_not_listed_is_hidden(inside: CollectorInside) -> None:
    """As a BMC shows it, which asks the boards and not the driver."""
    host = admitted(inside, TWO[:1])
    sign(inside, host, {0: TWO[0], None: TWO[1]})

    assert inside.findings() == ["hidden-chip"]
    assert inside.detail("hidden-chip")["chips"] == [TWO[1].pdi]


def test_a_chip_that_signs_under_another_factory_key_is_not_the_same(
    inside: CollectorInside,
) -> None:
    """The factory makes one key for each root of trust of a chip, for ever."""
    host = admitted(inside)
    sign(inside, host)
    key = msgspec.msgpack.encode(b"another")
    inside.rows("UPDATE device_keys SET key = ? WHERE chip = 1", key)
    inside.pass_time(27 * HOUR_MS)
    inside.report(inside.heartbeat(host))
    sign(inside, host)

    assert inside.grades("ams-1") == ["G1", "G3"]
    assert "identity-changed" in inside.findings()


def test_new_firmware_is_the_same_chip(inside: CollectorInside) -> None:
    """It signs with a new key under the same factory key."""
    host = admitted(inside)
    sign(inside, host)
    inside.pass_time(HOUR_MS)
    sign(inside, host, [replace(maker, firmware="2") for maker in TWO])

    assert (inside.grades("ams-1"), inside.findings()) == (["G3", "G3"], [])


def test_everything_that_was_signed_is_computed_again_from_the_log(
    inside: CollectorInside,
) -> None:
    """Results are entries of the log, in their place between the tokens."""
    gpus, switches = hgx()
    host = admitted(inside, gpus[:7])
    sign(inside, host, gpus[:7], switches=switches)
    sign(inside, host, {0: GpuMaker(99)})
    live(inside, host, 27)
    before = inside.derived()
    assert {"hidden-chip", "grade-drop", "cert-nvml-mismatch"} <= set(inside.findings())
    inside.replay()

    assert inside.derived() == before


def test_the_pins_of_tests_are_not_the_shipped_ones() -> None:
    """No collector believes the devices of these tests, unless its site is a test site."""
    assert PKI.pins.version == "test"


def test_a_round_is_asked_for_at_first_and_then_rarely(inside: CollectorInside) -> None:
    """Chips are asked twice a day; an answer without evidence is one as well."""
    host = admitted(inside)
    assert inside.take(inside.heartbeat(host)).want == "evidence"
    sign(inside, host)
    assert inside.take(inside.heartbeat(host)).want is None
    inside.pass_time(12 * HOUR_MS + 1)
    assert inside.take(inside.heartbeat(host)).want == "evidence"
    without = inside.heartbeat(host, no_evidence=(WITHOUT,))
    assert inside.take(without).want is None


def test_what_is_asked_for_outlives_the_process(inside: CollectorInside) -> None:
    """When the newest round was is in the database."""
    host = admitted(inside)
    sign(inside, host)
    ((round_ms,),) = inside.rows("SELECT at_ms FROM rounds WHERE host = ?", host.host)

    assert round_ms == inside.clock.ms
    known = SqliteKeys(inside.connection).find(host.signer.public.kid)
    assert known is not None
    assert known.round_ms == round_ms


def met(inside: CollectorInside, host: SimulatedHost, cheat: SimulatedHost) -> None:
    """Let two hosts that claim the same chips report in turn."""
    for _ in range(2):
        inside.report(inside.heartbeat(host))
        inside.pass_time(HOUR_MS)
        inside.report(inside.heartbeat(cheat))
        inside.pass_time(HOUR_MS)


def rivals(inside: CollectorInside) -> tuple[SimulatedHost, SimulatedHost]:
    """Return an owner of two chips, and a cheat who typed in their names before."""
    cheat = host_of("cheat", TWO)
    cheat.inventory = host_of("s", TWO).inventory
    inside.admit(cheat, site="kul-1")
    inside.report(inside.full(cheat))
    inside.pass_time(HOUR_MS)
    return admitted(inside), cheat


def test_a_name_typed_in_first_loses_against_the_chip_itself(inside: CollectorInside) -> None:
    """The first claim counts among equals; from the owner's round on, the owner's does."""
    host, cheat = rivals(inside)
    met(inside, host, cheat)
    before_ms = inside.clock.ms
    assert (inside.standings("ams-1"), inside.standings("kul-1")) == (
        ["disputed"] * 2,
        ["present"] * 2,
    )
    inside.pass_time(1000)
    sign(inside, host)

    assert inside.standings("ams-1") == ["present"] * 2
    assert inside.standings("kul-1") == ["disputed"] * 2
    assert inside.standings("kul-1", at_ms=before_ms) == ["present"] * 2
    assert inside.findings() == ["duplicate-identity", "duplicate-identity"]
    assert inside.grades("ams-1") == ["G3", "G3"]
    met(inside, host, cheat)
    assert inside.standings("kul-1") == ["disputed"] * 2


def test_a_name_typed_in_later_never_counts_beside_the_chip_itself(
    inside: CollectorInside,
) -> None:
    """The owner has signed before the cheat is heard twice: it counts at once."""
    host, cheat = rivals(inside)
    sign(inside, host)
    met(inside, host, cheat)

    assert inside.standings("ams-1") == ["present"] * 2
    assert inside.standings("kul-1") == ["disputed"] * 2


def test_turned_disputes_are_computed_again_from_the_log(inside: CollectorInside) -> None:
    """Which claim counted when is part of what a replay must give."""
    host, cheat = rivals(inside)
    met(inside, host, cheat)
    sign(inside, host)
    met(inside, host, cheat)
    before = inside.derived()
    inside.replay()

    assert inside.derived() == before


def test_one_host_cannot_keep_the_verifier_to_itself(inside: CollectorInside) -> None:
    """Twelve rounds at once, then one every five minutes; reports go on, evidence is put off."""
    host = admitted(inside)
    for _ in range(12):
        sign(inside, host, TWO[:1])
    before = (host.seq, host.prev)
    host.now_s = inside.clock.ms // 1000
    made = answer(host, inside.nonce(host, Kind.EVIDENCE), TWO)
    (result,) = inside.take(made.token, blobs=made.blobs).results
    assert isinstance(result, RefusedToken)
    assert result.code == "rate-limited"

    host.seq, host.prev = before
    inside.report(inside.heartbeat(host))
    inside.pass_time(HOUR_MS // 12)
    sign(inside, host)
    assert inside.grades("ams-1") == ["G3", "G3"]


def test_a_management_controller_that_lists_others_is_a_finding(inside: CollectorInside) -> None:
    """Signed by the host itself; the next round that tells of no difference resolves it."""
    host = admitted(inside)
    seen = NoEvidence(code="bmc-chip-unreported", source="redfish", detail="HGX_GPU_7")
    inside.report(inside.heartbeat(host, no_evidence=(seen, WITHOUT)))
    assert inside.findings() == ["bmc-differs"]
    assert inside.detail("bmc-differs") == {"differences": ["bmc-chip-unreported: HGX_GPU_7"]}

    inside.report(inside.heartbeat(host, no_evidence=(WITHOUT,)))
    assert inside.findings() == []


@pytest.mark.parametrize("restarts", [0, 1])
def test_a_host_back_from_silence_has_time_for_its_first_round(
    inside: CollectorInside, restarts: int
) -> None:
    """A weekend off is no drop of grade; two hours without a round after it are."""
    host = admitted(inside)
    sign(inside, host)
    inside.pass_time(60 * HOUR_MS)
    assert inside.findings() == ["silent-host"]
    inside.report(inside.heartbeat(host))
    for _ in range(restarts):
        inside.restart()
    inside.pass_time(HOUR_MS)
    inside.report(inside.heartbeat(host))
    assert inside.findings() == []
    inside.pass_time(HOUR_MS)
    inside.report(inside.heartbeat(host))
    assert inside.findings() == ["grade-drop"]
    before = inside.derived()
    inside.replay()
    assert inside.derived() == before
