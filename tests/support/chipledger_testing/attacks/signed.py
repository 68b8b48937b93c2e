"""Attacks on evidence that chips sign, and on its absence."""

from msgspec.structs import replace

from chipledger_evidence.claims import NoEvidence
from chipledger_evidence.gpu.envelope import Source, seal_envelope
from chipledger_evidence.nonce import Kind
from chipledger_testing.attacks.chips import changed
from chipledger_testing.attacks.field import Field
from chipledger_testing.attacks.registry import scenario
from chipledger_testing.gpu_pki import GpuMaker, Shape
from chipledger_testing.rounds import host_of, nonce_of, reference


@scenario("evidence-replayed")
def evidence_replayed(field: Field) -> None:
    """A round's evidence is kept and sent again with a fresh report."""
    host = field.host("a")
    old = nonce_of(host, field.inside.nonce(host, Kind.EVIDENCE))
    field.live(1)
    field.begin()
    field.sign(host, nonce=old)


@scenario("evidence-for-another-host")
def evidence_for_another_host(field: Field) -> None:
    """Chips signed for another host's key."""
    host, other = field.host("a"), field.host("b")
    field.begin()
    field.sign(host, nonce=nonce_of(other, field.inside.nonce(host, Kind.EVIDENCE)))


@scenario("evidence-of-a-switch")
def evidence_of_a_switch(field: Field) -> None:
    """A switch signs, and is named as the first chip."""
    host = field.host("a")
    seen = tuple(maker.pdi for maker in field.makers(host))
    field.begin()
    field.sign(host, {0: GpuMaker(901, Shape.SWITCH, sees=seen)}, switches=())


@scenario("evidence-with-another-chain")
def evidence_with_another_chain(field: Field) -> None:
    """One chip's report with the certificates of another."""
    host = field.host("a")
    field.begin()
    host.now_s = field.inside.clock.ms // 1000
    challenge = field.inside.nonce(host, Kind.EVIDENCE)
    nonce = nonce_of(host, challenge)
    one, two = field.makers(host)
    blob = seal_envelope(
        source=Source.NVML, transcript=one.report(nonce), chain=two.chain(), nonce=nonce
    )
    token = host.heartbeat(challenge, evidence=(reference(blob, chip=0),))
    field.send(host, token, blobs=(blob,))
    field.inside.judge()


@scenario("die-misnamed")
def die_misnamed(field: Field) -> None:
    """An H100 is reported as an A100, in every view."""
    host = field.host("a")
    field.begin()
    pci = host.inventory.chips[1].pci
    other = None if pci is None else replace(pci, device="20b210de", subsystem="14a710de")
    host.inventory = changed(
        host, 1, name="NVIDIA A100-SXM4-80GB", pci=other, board_part="692-2G506-0210-000"
    )
    field.full(host)
    field.live(13)


@scenario("sold-chip-spoofed")
def sold_chip_spoofed(field: Field) -> None:
    """The second chip is gone; software goes on with what it last said."""
    host = field.host("a")
    field.begin()
    del field.makers(host)[1]
    field.live(28)


@scenario("evidence-withheld")
def evidence_withheld(field: Field) -> None:
    """The host says by code that no chip can sign any more."""
    host = field.host("a")
    field.begin()
    field.makers(host).clear()
    field.beat(host, no_evidence=(NoEvidence(code="not-supported", source="nvml"),))
    field.live(28)


@scenario("chip-key-extracted")
def chip_key_extracted(field: Field) -> None:
    """A chip's key signs on another host; the chip itself is reported by nobody."""
    maker = GpuMaker(901)
    field.host("a")
    field.begin()
    field.arrive(host_of("far", [maker]), [maker])
    field.live(14)
