"""A round of device evidence: when it is made, what is signed, and that nothing of it gets lost."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
import pytest

from chipledger_agent.cycle.evidence import OTHER_SPDM, ROUND_S, SilentSource, pack
from chipledger_agent.domain.evidence import (
    MAX_REASONS,
    SHORTEST_INTERVAL_S,
    DeviceEvidence,
    Gathered,
    ReasonCode,
    bounded,
    nothing_to_ask,
    why,
)
from chipledger_agent.domain.failures import AgentCode
from chipledger_evidence.claims import FullReport
from chipledger_evidence.codec import b64url_decode
from chipledger_evidence.gpu.envelope import NVIDIA_SPDM, device_nonce, open_envelope
from chipledger_evidence.inventory import Inventory, Unread
from chipledger_evidence.nonce import Kind
from chipledger_testing.agent_host import DAY_S, AgentHost
from chipledger_testing.agent_ports import ManualClock
from chipledger_testing.claims import inventory
from chipledger_testing.collector import Trouble
from chipledger_testing.disk import Fault, Killed, Mode, SimulatedDisk

HALF_A_DAY_S = 12 * 3600
REPORT = b"\x11\xe0report over "


@dataclass(slots=True)
class Signs:
    """A source whose chips sign, or not; remembers what it was asked.

    Attributes:
        chips: indices of those that sign.
        code: reason for the others, empty for none.
        takes_s: how long it takes.
    """

    clock: ManualClock
    chips: Sequence[int] = (0,)
    code: str = ""
    takes_s: int = 0
    name: str = "nvml"
    asks: bool = True
    nonces: list[bytes] = field(default_factory=list)
    within: list[int] = field(default_factory=list)

    def gather(self, nonce: bytes, inventory: Inventory, *, within_s: int) -> Gathered:
        """Return evidence over `nonce`."""
        del inventory
        self.nonces.append(nonce)
        self.within.append(within_s)
        self.clock.advance(self.takes_s)
        return Gathered(
            found=tuple(
                DeviceEvidence(source=self.name, transcript=REPORT + nonce, chain=b"pem", chip=chip)
                for chip in self.chips
            ),
            reasons=(why(self.name, self.code),) if self.code else (),
        )


def host_with(*sources: Signs) -> AgentHost:
    """Return a started host with these sources, all on its clock."""
    host = AgentHost(clock=sources[0].clock, evidence=sources)
    host.start()
    return host


@pytest.fixture
def source() -> Signs:
    """Return a source whose first chip signs."""
    return Signs(ManualClock())


def test_a_round_follows_the_ordinary_report(source: Signs) -> None:
    """Two tokens: the second names what was found, and the collector has the bytes."""
    host = host_with(source)
    host.run()

    first, second = host.collector.claims()
    (ref,) = second.evidence
    envelope = open_envelope(host.collector.blobs[ref.digest])
    assert (first.evidence, first.no_evidence) == ((), ())
    assert (ref.chip, ref.kind, envelope.source) == (0, NVIDIA_SPDM, "nvml")
    assert envelope.transcript_bytes() == REPORT + source.nonces[0]
    assert envelope.chain_bytes() == b"pem"


def test_the_nonce_is_bound_to_challenge_and_key(source: Signs) -> None:
    """Devices answer what is made of the echoed challenge, which is one for evidence."""
    host = host_with(source)
    host.run()

    challenge = b64url_decode(host.collector.claims()[-1].eat_nonce)
    thumbprint = b64url_decode(host.signer.public.kid)
    assert challenge[0] == Kind.EVIDENCE
    assert source.nonces == [device_nonce(challenge, thumbprint)]


def test_each_round_has_a_nonce_of_its_own(source: Signs) -> None:
    """Nothing a device said before answers again."""
    host = host_with(source)
    for _ in range(3):
        host.run(after_s=HALF_A_DAY_S)

    assert len(set(source.nonces)) == 3


def test_devices_are_asked_twice_a_day(source: Signs) -> None:
    """Not with every report."""
    host = host_with(source)
    for _ in range(48):
        host.run(after_s=1800)

    assert len(source.nonces) == 2


def test_the_collector_may_ask_sooner_but_not_without_end(source: Signs) -> None:
    """A wish is followed once an hour at most, whoever has it."""
    host = host_with(source)
    host.run()
    host.collector.wants_evidence = True
    for _ in range(8):
        host.run(after_s=SHORTEST_INTERVAL_S // 4)

    assert len(source.nonces) == 3


def test_a_host_without_sources_answers_the_wish_with_reasons() -> None:
    """So that the collector knows, and asks no more for a while."""
    host = AgentHost(evidence=(SilentSource("redfish", ReasonCode.REDFISH_NOT_CONFIGURED),))
    host.start()
    host.collector.wants_evidence = True
    host.run()

    last = host.collector.claims()[-1]
    assert [reason.code for reason in last.no_evidence] == ["redfish-not-configured"]
    assert b64url_decode(last.eat_nonce)[0] == Kind.EVIDENCE


def test_full_reports_say_why_no_chip_can_sign() -> None:
    """Where no source is switched on: what the hardware cannot do before what is off."""
    sources = tuple(SilentSource(name, ReasonCode.SOURCE_DISABLED) for name in ("nvml", "corelib"))
    host = AgentHost(evidence=sources)
    host.machine.inventory = hopper(feature=0)
    host.start()
    host.run()
    host.run()

    full, beat = host.collector.claims()
    assert isinstance(full, FullReport)
    assert [reason.code for reason in full.no_evidence] == [
        "cc-off",
        "not-offered-by-architecture",
        "no-switch-witness",
    ]
    assert beat.no_evidence == ()


def hopper(*, feature: int | None) -> Inventory:
    """Return an H100 host with confidential computing on (1), off (0) or unknown."""
    made = inventory(provider="mock")
    chips = tuple(msgspec.structs.replace(chip, architecture=9) for chip in made.chips)
    driver = msgspec.structs.replace(made.driver, confidential_computing=feature)
    unread = {} if feature is not None else {"driver.confidential_computing": Unread(nvml=3)}
    return msgspec.structs.replace(made, chips=chips, driver=driver, unread=unread)


@pytest.mark.parametrize(
    ("feature", "nvml", "corelib"),
    [
        (0, "cc-off", "not-offered-by-architecture"),
        (1, None, "cc-on"),
        (None, "nvml-error-3", "not-offered-by-architecture"),
    ],
)
def test_hardware_and_mode_decide_first(
    feature: int | None, nvml: str | None, corelib: str
) -> None:
    """An H100 gives evidence through NVML and in one mode only."""
    said = [nothing_to_ask(name, hopper(feature=feature)) for name in ("nvml", "corelib")]

    assert [reason.code if reason else None for reason in said] == [nvml, corelib]


def test_sources_are_asked_one_after_the_other_within_the_challenge() -> None:
    """The second gets the time that the first left."""
    clock = ManualClock()
    slow, next_one = Signs(clock, takes_s=200), Signs(clock, name="redfish")
    host_with(slow, next_one).run()

    assert slow.within == [ROUND_S]
    assert next_one.within == [ROUND_S - 200]


def test_a_source_for_which_no_time_is_left_is_not_asked() -> None:
    """Its reason says so; the round is signed all the same."""
    clock = ManualClock()
    slow, never = Signs(clock, takes_s=ROUND_S), Signs(clock, name="redfish")
    host = host_with(slow, never)
    host.run()

    assert never.nonces == []
    assert [(r.source, r.code) for r in host.collector.claims()[-1].no_evidence] == [
        ("redfish", "deadline")
    ]


def test_the_report_is_delivered_before_devices_are_asked(source: Signs) -> None:
    """However long they take."""
    host = host_with(source)
    stored: list[int] = []

    class Watches(Signs):
        def gather(self, nonce: bytes, inventory: Inventory, *, within_s: int) -> Gathered:  # type: ignore[explicit-override] # typing.override needs Python 3.12
            stored.append(len(host.collector.kept))
            return super().gather(nonce, inventory, within_s=within_s)

    host.evidence = (Watches(host.clock),)
    host.start()
    host.run()

    assert stored == [1]


def test_no_round_without_a_challenge(source: Signs) -> None:
    """Evidence over a nonce of our own would prove nothing; the round stays due."""
    host = host_with(source)
    host.collector.trouble = [Trouble()]
    host.run()
    assert source.nonces == []

    host.run()

    assert len(source.nonces) == 1


def test_evidence_that_was_not_taken_is_sent_again_with_its_token(source: Signs) -> None:
    """An outage after the round costs nothing but time."""
    host = host_with(source)
    host.collector.not_now = ["", "overloaded"]
    host.run()
    assert host.spool.waiting()
    host.collector.blobs.clear()
    host.run()

    (ref,) = host.collector.claims()[1].evidence
    assert host.collector.blobs.keys() == {ref.digest}


def test_a_restart_between_keeping_and_sending_loses_no_evidence(source: Signs) -> None:
    """Token and blobs are one file: both are there, or neither."""
    host = host_with(source)
    host.run()
    host.clock.advance(HALF_A_DAY_S)
    host.collector.not_now = ["", "overloaded"]
    host.cycle.run()
    waiting = host.spool.waiting()
    host.crash(lambda: False)
    host.start()

    (link,) = waiting
    report = host.spool.load(link)
    assert len(report.blobs) == 1
    host.run()
    assert host.collector.blobs.keys() >= {
        ref.digest for claims in host.collector.claims() for ref in claims.evidence
    }


def test_a_damaged_blob_makes_its_report_unreadable(source: Signs) -> None:
    """Half of what was signed is not sent as the whole; the next token tells it."""
    host = host_with(source)
    host.run()
    host.clock.advance(HALF_A_DAY_S)
    host.collector.not_now = ["", "overloaded"]
    host.cycle.run()
    assert isinstance(host.disk, SimulatedDisk)
    folder = "chains/host/waiting"
    (name,) = host.disk.names(folder)
    data = host.disk.read(f"{folder}/{name}")
    host.disk.write(f"{folder}/{name}", data[:-1] + bytes((data[-1] ^ 1,)))
    host.run()

    told = [item.code for claims in host.collector.claims() for item in claims.refused]
    assert told == [AgentCode.REPORT_UNREADABLE]


@pytest.mark.parametrize("mode", [Mode.KILL_BEFORE, Mode.KILL_AFTER, Mode.TORN])
def test_a_crash_anywhere_in_a_round_leaves_no_token_without_its_evidence(mode: Mode) -> None:
    """Whatever reaches the collector names only blobs that came with it."""
    number = 0
    while True:
        number += 1
        source = Signs(ManualClock())
        host = host_with(source)
        host.run()
        host.clock.advance(HALF_A_DAY_S)
        assert isinstance(host.disk, SimulatedDisk)
        host.disk.fault = Fault(number=len(host.disk.operations) + number, mode=mode)
        try:
            host.cycle.run()
        except Killed:
            pass
        else:
            break
        host.crash(lambda: False)
        host.start()
        host.run()
        named = {ref.digest for claims in host.collector.claims() for ref in claims.evidence}
        assert named <= host.collector.blobs.keys()
        seqs = [claims.seq for claims in host.collector.claims()]
        assert seqs == list(range(1, len(seqs) + 1))

    assert number > 10


def test_a_machine_that_dies_of_the_question_is_not_asked_in_a_loop(source: Signs) -> None:
    """That it was asked is on the disk before the first device is."""

    class Dies(Signs):
        def gather(self, nonce: bytes, inventory: Inventory, *, within_s: int) -> Gathered:  # type: ignore[explicit-override] # typing.override needs Python 3.12
            super().gather(nonce, inventory, within_s=within_s)
            raise Killed

    dies = Dies(source.clock)
    host = host_with(dies)
    for _ in range(4):
        with suppress(Killed):
            host.run(after_s=600)
        host.crash(lambda: False)
        host.start()

    assert len(dies.nonces) == 1


def test_evidence_stays_within_what_a_request_holds() -> None:
    """What does not fit is named, chip by chip."""
    found = tuple(
        DeviceEvidence(source="nvml", transcript=REPORT + bytes((n,)) * 40_000, chain=b"", chip=n)
        for n in range(60)
    )
    packed = pack([Gathered(found=found)], bytes(32))

    assert sum(map(len, packed.blobs)) <= 2 * 1024 * 1024
    assert len(packed.refs) + len(packed.reasons) == 60
    assert {reason.code for reason in packed.reasons} == {"evidence-too-large"}


def test_one_piece_larger_than_an_envelope_is_left_out() -> None:
    """64 KiB are enough for any known device."""
    piece = DeviceEvidence(source="redfish", transcript=bytes(70_000), chain=b"", chip=2)
    packed = pack([Gathered(found=(piece,))], bytes(32))

    assert packed.refs == ()
    assert [(reason.code, reason.chip) for reason in packed.reasons] == [("evidence-too-large", 2)]


def test_a_transcript_that_is_not_spdm_1_1_does_not_claim_to_be() -> None:
    """It is kept under another kind, and proves nothing."""
    piece = DeviceEvidence(source="nvml", transcript=b"\x10\x84\x00", chain=b"")
    packed = pack([Gathered(found=(piece,))], bytes(32))

    assert [ref.kind for ref in packed.refs] == [OTHER_SPDM]


def test_more_reasons_than_a_token_holds_are_counted() -> None:
    """None is dropped in silence."""
    reasons = bounded(why("nvml", "cc-off", chip=n % 64, detail=str(n)) for n in range(200))

    assert len(reasons) == MAX_REASONS
    assert (reasons[-1].code, reasons[-1].detail) == ("more-reasons", "73 left out")


def test_a_reason_holds_no_control_characters() -> None:
    """What a foreign program printed is text here."""
    assert why("corelib", "nvattest-failed", detail="a\x1b[31mb\n").detail == "a [31mb "


def test_the_day_s_full_report_carries_no_evidence_of_a_round(source: Signs) -> None:
    """A round is a token of its own, even where both are due."""
    host = host_with(source)
    host.run()
    host.run(after_s=DAY_S)

    assert [bool(claims.evidence) for claims in host.collector.claims()] == [
        False,
        True,
        False,
        True,
    ]
