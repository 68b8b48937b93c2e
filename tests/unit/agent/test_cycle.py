"""What a cycle does, with every port behaving and the collector keeping the wire's rules."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest

from chipledger_agent.domain.failures import AgentCode
from chipledger_agent.domain.plan import Cause
from chipledger_agent.domain.spoolrules import Limits
from chipledger_evidence.answers import ReportAnswer
from chipledger_evidence.claims import FullReport, Heartbeat
from chipledger_evidence.framing import MAX_TOKENS
from chipledger_evidence.ids import NO_PREVIOUS
from chipledger_evidence.token import Token
from chipledger_testing.agent_host import DAY_S, AgentHost
from chipledger_testing.agent_ports import LargestChance
from chipledger_testing.claims import inventory
from chipledger_testing.collector import SimulatedCollector, Trouble
from chipledger_testing.disk import SimulatedDisk


@pytest.fixture
def host() -> AgentHost:
    """Return a freshly enrolled host, started."""
    made = AgentHost()
    made.start()
    return made


def freshness(host: AgentHost) -> list[str]:
    """Return the freshness of every stored report in order of arrival."""
    return [kept.answer.freshness for kept in host.collector.kept.values()]


def test_the_first_report_is_full_and_challenged(host: AgentHost) -> None:
    """A newcomer proves what it has, over a fresh nonce."""
    outcome = host.run()

    (claims,) = host.collector.claims()
    assert isinstance(claims, FullReport)
    assert freshness(host) == ["challenged"]
    assert outcome.stored == 1
    assert outcome.waiting == 0


def test_an_unchanged_host_sends_heartbeats_in_one_round_trip(host: AgentHost) -> None:
    """The epoch value of the last answer is echoed; nothing is asked before."""
    host.run()
    host.run()
    asked = host.collector.requests["challenge"]
    host.run()

    assert isinstance(host.collector.claims()[-1], Heartbeat)
    assert freshness(host)[-1] == "epoch"
    assert host.collector.requests["challenge"] == asked


def test_a_changed_machine_is_reported_in_full_at_once(host: AgentHost) -> None:
    """With a challenge of its own."""
    host.run()
    host.machine.inventory = inventory(chips=7, provider="mock")
    outcome = host.run()

    assert outcome.signed[-1].cause is Cause.CHANGE
    assert freshness(host)[-1] == "challenged"


def test_a_boot_and_a_day_are_reported_in_full(host: AgentHost) -> None:
    """Even when nothing else changed."""
    host.run()
    host.machine.boot_number = 2
    boot = host.run()
    daily = host.run(after_s=DAY_S)

    assert boot.signed[-1].cause is Cause.BOOT
    assert daily.signed[-1].cause is Cause.PERIOD


def test_a_request_for_a_full_report_is_answered_in_the_same_cycle(host: AgentHost) -> None:
    """An unknown digest does not wait an interval."""
    host.run()
    host.collector.wants_full = True
    outcome = host.run()

    assert [signed.cause for signed in outcome.signed] == [None, Cause.REQUEST]
    assert host.machine.scans == 2


def test_a_collector_that_never_has_enough_is_answered_once_a_cycle(host: AgentHost) -> None:
    """No endless loop."""
    host.collector.wants_full = True

    assert len(host.run().signed) == 2


def test_reports_made_while_the_collector_is_away_arrive_later_in_order(host: AgentHost) -> None:
    """Nothing is lost by an outage; what is old by then is stored as late."""
    host.run()
    host.collector.trouble = [Trouble()] * 5
    for _ in range(5):
        assert host.run().failure == "collector-busy"
    outcome = host.run()

    assert [claims.seq for claims in host.collector.claims()] == [1, 2, 3, 4, 5, 6, 7]
    assert outcome.stored == 6
    assert freshness(host)[1] == "late"


def test_an_answer_that_was_lost_is_asked_for_again(host: AgentHost) -> None:
    """The same report twice is the same report."""
    host.run()
    host.collector.trouble = [Trouble(after=True)]
    host.run()
    host.run()

    assert [claims.seq for claims in host.collector.claims()] == [1, 2, 3]


def test_a_long_backlog_goes_in_bounded_batches(host: AgentHost) -> None:
    """No request holds more than the framing allows."""
    host.run()
    host.collector.trouble = [Trouble()] * 100
    for _ in range(100):
        host.run()
    host.collector.trouble = []
    delivered = host.collector.requests["deliver"]
    outcome = host.run()

    assert outcome.stored == 101
    assert host.collector.requests["deliver"] - delivered == 1 + -(-100 // MAX_TOKENS)


def test_the_collector_is_left_alone_as_long_as_it_asked(host: AgentHost) -> None:
    """Scans go on and are spooled; no request is made before the time is over."""
    host.run()
    host.collector.trouble = [Trouble(retry_after_s=7200)]
    outcome = host.run()
    assert outcome.retry_in_s is not None
    assert outcome.retry_in_s >= 7200
    asked = dict(host.collector.requests)

    waiting = host.run(after_s=3600)

    assert host.collector.requests == asked
    assert waiting.waiting == 2
    assert host.run(after_s=3610).waiting == 0


def test_failures_in_a_row_are_answered_by_longer_pauses() -> None:
    """Up to the cap."""
    host = AgentHost(entropy=LargestChance())
    host.start()
    host.collector.trouble = [Trouble()] * 12
    pauses = [host.run(after_s=DAY_S).retry_in_s for _ in range(12)]

    assert pauses[:3] == [5, 10, 20]
    assert pauses[-1] == 600


def test_a_refused_report_is_put_aside_and_told_in_the_next(host: AgentHost) -> None:
    """Its number and identity are signed, so it is not forgotten; the chain goes on."""
    host.run()
    host.collector.change_nonce_key()
    outcome = host.run()

    assert outcome.refused == ["foreign-nonce"]
    told = host.collector.claims()[-1]
    assert [(item.seq, item.code) for item in told.refused] == [(2, "foreign-nonce")]
    assert told.seq == 3
    assert told.prev == told.refused[0].token
    assert list(host.spool.untold()) == []


def test_a_nonce_that_does_not_count_is_replaced_at_once(host: AgentHost) -> None:
    """A new challenge, a new report, in the same cycle."""
    host.run()
    host.collector.change_nonce_key()
    outcome = host.run()

    assert freshness(host)[-1] == "challenged"
    assert [signed.seq for signed in outcome.signed] == [2, 3]


def test_a_report_refused_for_the_host_itself_waits_for_a_person(host: AgentHost) -> None:
    """An unknown key is not this report's fault; after it was mended, all arrive."""
    host.run()
    trust = host.collector.enrolled.pop(host.signer.public.kid)
    assert host.run().failure == "unknown-key"
    assert host.run().waiting == 2
    host.collector.enrolled[host.signer.public.kid] = trust

    assert host.run().stored == 3


def test_a_report_put_off_keeps_its_place(host: AgentHost) -> None:
    """A full disk at the collector says nothing against a report, nor against those after it."""
    host.run()
    host.collector.trouble = [Trouble()] * 2
    host.run()
    host.run()
    host.collector.not_now = ["", "disk-full"]
    outcome = host.run()
    assert outcome.failure == "disk-full"
    assert outcome.refused == []
    assert host.run().waiting == 0

    assert sorted(claims.seq for claims in host.collector.claims()) == [1, 2, 3, 4, 5]
    assert not any(claims.refused for claims in host.collector.claims())


def test_a_revoked_key_keeps_its_reports(host: AgentHost) -> None:
    """They are evidence for whoever decides about the key."""
    host.run()
    trust = host.collector.enrolled[host.signer.public.kid]
    host.collector.enrolled[host.signer.public.kid] = replace(trust, revoked=True)

    outcome = host.run()
    assert outcome.failure == "revoked-key"
    assert outcome.refused == []
    assert outcome.waiting == 1


def test_one_bad_report_in_a_batch_does_not_hold_up_the_others(host: AgentHost) -> None:
    """A batch refused as a whole is taken apart until the one at fault is found."""
    host.run()
    host.collector.trouble = [Trouble()] * 5
    for _ in range(5):
        host.run()
    third = host.spool.waiting()[2]
    host.collector.indigestible = {third.token}
    host.collector.trouble = []
    outcome = host.run()

    assert outcome.refused == ["malformed-framing"]
    assert outcome.waiting == 0
    arrived = [claims.seq for claims in host.collector.claims()]
    assert arrived == [1, 2, 3, 5, 6, 7]
    assert [item.seq for item in host.collector.claims()[-1].refused] == [third.seq]


def test_a_request_refused_for_another_reason_keeps_its_reports(host: AgentHost) -> None:
    """Only what a report can be at fault for puts it aside."""
    host.run()
    host.collector.trouble = [Trouble(code="unsupported-media-type", refused=True)] * 2
    outcome = host.run()

    assert outcome.failure == "unsupported-media-type"
    assert outcome.waiting == 1


class Muddled(SimulatedCollector):
    """Answers as no collector may: its results name other reports than it was sent."""

    def deliver(self, tokens: Sequence[Token], blobs: Sequence[bytes] = ()) -> ReportAnswer:  # type: ignore[explicit-override] # typing.override needs Python 3.12
        """Name the wrong report."""
        answer = super().deliver(tokens, blobs)
        wrong = msgspec.structs.replace(answer.results[0], token=NO_PREVIOUS)
        return msgspec.structs.replace(answer, results=(wrong, *answer.results[1:]))


def test_results_that_name_other_reports_file_nothing() -> None:
    """What was not answered for is not taken for answered."""
    host = AgentHost(make_collector=Muddled)
    host.start()
    outcome = host.run()

    assert outcome.failure == AgentCode.COLLECTOR_CONFUSED
    assert (outcome.stored, outcome.waiting) == (0, 1)


def test_a_backlog_of_full_reports_goes_in_requests_of_bounded_size() -> None:
    """By bytes, too, not only by number."""
    host = AgentHost()
    pci = host.machine.inventory.pci[0]
    many = tuple(msgspec.structs.replace(pci, revision="x" * 200) for _ in range(100))
    host.machine.inventory = msgspec.structs.replace(host.machine.inventory, pci=many)
    host.start()
    host.run()
    host.collector.trouble = [Trouble()] * 60
    for _ in range(60):
        host.machine.boot_number += 1
        host.run()
    host.collector.trouble = []
    delivered = host.collector.requests["deliver"]
    outcome = host.run()

    assert outcome.stored == 61
    assert host.collector.requests["deliver"] - delivered > 2


def test_a_host_with_a_new_disk_continues_its_chain(host: AgentHost) -> None:
    """It says so, and no number is used twice."""
    host.run()
    host.run()
    host.disk = SimulatedDisk()
    host.start()
    outcome = host.run()

    newest = host.collector.claims()[-1]
    assert newest.seq == 3
    assert newest.resumed
    assert newest.prev == list(host.collector.kept)[1]
    assert outcome.signed[-1].resumed
    assert not host.run().signed[-1].resumed


def test_a_host_with_an_old_disk_continues_its_chain(host: AgentHost) -> None:
    """A restored backup sends what it holds, then goes on after the collector's head."""
    host.run()
    assert isinstance(host.disk, SimulatedDisk)
    backup = host.disk.restarted(lambda: True)
    host.run()
    host.run()
    host.disk = backup
    host.start()
    host.run()

    newest = host.collector.claims()[-1]
    assert [claims.seq for claims in host.collector.claims()] == [1, 2, 3, 4]
    assert newest.resumed


def test_the_heads_are_compared_before_the_first_report_of_a_process(host: AgentHost) -> None:
    """Also when that report is only a heartbeat."""
    host.run()
    asked = host.collector.requests["challenge"]
    host.start()
    outcome = host.run()

    assert host.collector.requests["challenge"] == asked + 1
    assert outcome.signed[0].cause is None
    assert freshness(host)[-1] == "challenged"


def test_a_collector_restored_from_a_backup_gets_the_lost_reports_again(host: AgentHost) -> None:
    """Acknowledged reports stay a week for just that."""
    for _ in range(4):
        host.run()
    host.collector.forget_after(2)
    host.start()
    host.run()

    assert [claims.seq for claims in host.collector.claims()] == [1, 2, 3, 4, 5]


def test_without_a_collector_the_last_epoch_value_is_echoed(host: AgentHost) -> None:
    """A full report is not put off because no challenge can be had."""
    host.run()
    host.machine.boot_number = 2
    host.collector.trouble = [Trouble()]
    offline = host.run()

    assert offline.signed[-1].cause is Cause.BOOT
    assert not offline.signed[-1].challenged
    host.run()
    assert freshness(host)[1] == "epoch"


def test_a_full_spool_skips_scans_and_signs_how_many() -> None:
    """Nothing is dropped silently, not even a scan that was never made."""
    host = AgentHost(limits=Limits(max_reports=2, max_bytes=10**9))
    host.start()
    host.collector.trouble = [Trouble()] * 5
    outcomes = [host.run() for _ in range(5)]
    scans = host.machine.scans
    outcome = host.run()

    assert [item.skipped for item in outcomes] == ["", "", *[AgentCode.SPOOL_FULL] * 3]
    assert scans == 2
    assert outcome.waiting == 0
    assert [claims.skipped for claims in host.collector.claims()] == [0, 0, 3]


def test_a_full_disk_skips_scans_and_signs_how_many(host: AgentHost) -> None:
    """Counted across restarts of the agent, too."""
    host.run()
    assert isinstance(host.disk, SimulatedDisk)
    host.disk.full = True
    assert host.run().skipped == AgentCode.STORAGE_FAILED
    host.start()
    assert host.run().skipped == AgentCode.STORAGE_FAILED
    host.disk.full = False
    host.run()
    host.run()

    assert [claims.skipped for claims in host.collector.claims()] == [0, 2, 0]


def test_scans_that_were_due_while_one_ran_are_counted(host: AgentHost) -> None:
    """An overrun is a gap like any other."""
    host.run()
    host.clock.advance(3600)
    host.cycle.run(missed=2)

    assert host.collector.claims()[-1].skipped == 2


def test_an_oversize_report_is_counted_not_truncated(host: AgentHost) -> None:
    """A statement that does not fit is never cut to fit."""
    pci = host.machine.inventory.pci[0]
    many = tuple(msgspec.structs.replace(pci, revision="x" * 256) for _ in range(1000))
    host.machine.inventory = msgspec.structs.replace(host.machine.inventory, pci=many)

    assert host.run().skipped == AgentCode.REPORT_TOO_LARGE


def test_a_statement_out_of_the_formats_bounds_is_counted_not_signed(host: AgentHost) -> None:
    """It would be refused for ever; the fault is ours and must be seen."""
    host.run()
    chips = (msgspec.structs.replace(host.machine.inventory.chips[0], name="x" * 257),)
    host.machine.inventory = msgspec.structs.replace(host.machine.inventory, chips=chips)
    outcome = host.run()

    assert outcome.skipped == AgentCode.REPORT_MALFORMED
    assert outcome.waiting == 0


def test_an_unreadable_report_is_put_aside_and_told(host: AgentHost) -> None:
    """Its name still says which number it was."""
    host.run()
    host.collector.trouble = [Trouble()]
    host.run()
    folder = "chains/host/waiting"
    (name,) = host.disk.names(folder)
    host.disk.write(f"{folder}/{name}", b"")
    host.run()
    host.run()

    told = [item.code for claims in host.collector.claims() for item in claims.refused]
    assert told == [AgentCode.REPORT_UNREADABLE]


def test_losing_the_small_state_costs_one_full_report(host: AgentHost) -> None:
    """And nothing else."""
    host.run()
    host.run()
    host.disk.unlink("chains/host/state.json")
    host.start()
    outcome = host.run()

    assert outcome.signed[-1].cause is Cause.FIRST
    assert host.collector.claims()[-1].seq == 3
    assert not host.collector.claims()[-1].resumed


def test_progress_is_told_as_work_is_done(host: AgentHost) -> None:
    """The watchdog hears of a scan and of a delivery, not of time passing."""
    host.run()

    assert host.notes.progress_made[:2] == ["scanned", "delivered up to report 1"]


def test_a_stopping_agent_sends_nothing_more(host: AgentHost) -> None:
    """What waits is safe; the next process delivers it."""
    host.cycle.stop()
    outcome = host.run()

    assert host.collector.requests["deliver"] == 0
    assert outcome.waiting == 1
