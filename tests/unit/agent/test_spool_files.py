"""The spool on a disk that forgets what was not synced."""

import pytest

from chipledger_agent.adapters.spool_files import SpoolFiles
from chipledger_agent.domain.chain import START, Link
from chipledger_agent.domain.failures import AgentCode, AgentError
from chipledger_agent.domain.spoolrules import Filed, Limits
from chipledger_agent.ports import Report, Spool
from chipledger_evidence.claims import Refused
from chipledger_evidence.framing import encode_body
from chipledger_evidence.token import Token, sign_token
from chipledger_testing.agent_host import CHAIN, DAY_S
from chipledger_testing.claims import heartbeat
from chipledger_testing.disk import Fault, Killed, Mode, SimulatedDisk
from chipledger_testing.keys import SeededSigner

SIGNER = SeededSigner("spool", alg="Ed25519")


def report(seq: int, variant: int = 0) -> Token:
    """Return a signed report; a variant has the same number and another content."""
    return sign_token(heartbeat(seq=seq, uptime=variant), SIGNER)


def opened(disk: SimulatedDisk) -> SpoolFiles:
    """Return the spool of a new process."""
    limits = Limits(max_reports=3, max_bytes=100_000)
    spool = SpoolFiles(disk, chain=CHAIN, limits=limits, keep_sent_s=7 * DAY_S)
    spool.open()
    return spool


@pytest.fixture
def disk() -> SimulatedDisk:
    """Return an empty disk."""
    return SimulatedDisk()


@pytest.fixture
def spool(disk: SimulatedDisk) -> SpoolFiles:
    """Return an empty spool."""
    return opened(disk)


def seqs(spool: Spool) -> list[int]:
    """Return the numbers of the waiting reports."""
    return [link.seq for link in spool.waiting()]


def test_an_empty_spool_stands_before_the_first_report(spool: SpoolFiles) -> None:
    """Number 1 comes next."""
    assert spool.head() == START
    assert seqs(spool) == []


def test_a_kept_report_survives_the_worst_crash(disk: SimulatedDisk, spool: SpoolFiles) -> None:
    """Nothing that was not synced reaches the disk, and the report is there."""
    token = report(1)
    spool.keep(1, token)

    again = opened(disk.restarted(lambda: False))

    assert seqs(again) == [1]
    assert again.load(again.head()) == Report(token=token)


def test_reports_wait_in_chain_order(spool: SpoolFiles) -> None:
    """Oldest first, in whatever order they were kept."""
    for seq in (2, 1, 3):
        spool.keep(seq, report(seq))

    assert seqs(spool) == [1, 2, 3]


def test_an_acknowledged_report_stays_for_its_retention(spool: SpoolFiles) -> None:
    """And the newest of all for ever."""
    for seq in (1, 2):
        spool.keep(seq, report(seq))
        spool.acknowledge(spool.head(), now_s=1000)

    assert spool.prune(now_s=1000 + 7 * DAY_S) == 0
    assert spool.prune(now_s=1001 + 7 * DAY_S) == 1
    assert spool.head().seq == 2


def test_acknowledged_reports_can_wait_again(spool: SpoolFiles) -> None:
    """In their old order, after the number asked for."""
    for seq in (1, 2, 3):
        spool.keep(seq, report(seq))
    for link in spool.waiting():
        spool.acknowledge(link, now_s=1000)

    assert spool.requeue(after_seq=1) == 2
    assert seqs(spool) == [2, 3]
    assert spool.acknowledged() == 1


def test_a_refused_report_is_named_until_it_was_told(spool: SpoolFiles) -> None:
    """And keeps its number used for ever."""
    spool.keep(1, report(1))
    link = spool.head()
    spool.put_aside(link, code="foreign-nonce")
    named = Refused(code="foreign-nonce", seq=1, token=link.token)

    assert list(spool.untold()) == [named]
    spool.told([named])
    assert list(spool.untold()) == []
    assert spool.head() == link


def test_refused_reports_count_against_the_room_until_told(spool: SpoolFiles) -> None:
    """A collector that refuses everything does not fill the disk."""
    for seq in (1, 2, 3):
        assert spool.has_room()
        spool.keep(seq, report(seq))
        spool.put_aside(spool.head(), code="wrong-site")

    assert not spool.has_room()
    spool.told(spool.untold())
    assert spool.has_room()


def test_refused_reports_do_not_gather_for_ever(spool: SpoolFiles) -> None:
    """Once told, the newest thousand stay."""
    for seq in range(1, 1005):
        token = report(seq)
        spool.keep(seq, token)
        spool.put_aside(Link(seq=seq, token=token.identity), code="wrong-site")
        if seq % 500 == 0:
            spool.told(spool.untold())
    spool.told(spool.untold())

    assert spool.prune(now_s=0) == 4
    assert spool.prune(now_s=0) == 0
    assert min(spool.known()) == 5


def test_a_report_that_lost_its_bytes_is_recognised(disk: SimulatedDisk, spool: SpoolFiles) -> None:
    """It is not sent, and its number stays used."""
    spool.keep(1, report(1))
    (name,) = disk.names(f"{CHAIN}/waiting")
    disk.write(f"{CHAIN}/waiting/{name}", b"CLR1")

    with pytest.raises(AgentError) as caught:
        spool.load(spool.head())

    assert caught.value.code == AgentCode.REPORT_UNREADABLE
    assert spool.head().seq == 1


def test_a_report_with_another_content_than_its_name_is_recognised(
    disk: SimulatedDisk, spool: SpoolFiles
) -> None:
    """A file exchanged on the disk is not sent under its name."""
    spool.keep(1, report(1))
    (name,) = disk.names(f"{CHAIN}/waiting")
    spool.keep(2, report(2))
    other = next(item for item in disk.names(f"{CHAIN}/waiting") if item != name)
    disk.write(f"{CHAIN}/waiting/{name}", disk.read(f"{CHAIN}/waiting/{other}"))

    with pytest.raises(AgentError) as caught:
        spool.load(spool.waiting()[0])

    assert caught.value.code == AgentCode.REPORT_UNREADABLE


def test_a_report_that_could_not_be_kept_leaves_its_number_free(disk: SimulatedDisk) -> None:
    """The caller may sign the number again, with another content."""
    spool = opened(disk)
    disk.fault = Fault(number=len(disk.operations) + 4, mode=Mode.ERROR_AFTER)

    with pytest.raises(AgentError) as caught:
        spool.keep(1, report(1))

    assert caught.value.code == AgentCode.STORAGE_FAILED
    assert spool.head() == START
    spool.keep(1, report(1, variant=1))
    assert seqs(opened(disk.restarted(lambda: False))) == [1]


def test_two_reports_of_one_number_are_settled_before_anything_is_sent(
    disk: SimulatedDisk, spool: SpoolFiles
) -> None:
    """A crash may leave both tries of a number: one goes on, the other is put aside and told."""
    spool.keep(1, report(1))
    twin = report(1, variant=1)
    name = Filed(link=Link(seq=1, token=twin.identity)).name
    disk.write(f"{CHAIN}/waiting/{name}", encode_body([twin]))

    again = opened(disk)

    assert seqs(again) == [1]
    assert [(item.seq, item.code) for item in again.untold()] == [(1, AgentCode.SEQ_DOUBLED)]


def test_a_report_found_in_two_folders_is_sent_again(
    disk: SimulatedDisk, spool: SpoolFiles
) -> None:
    """A move that a crash cut in half is done over from its beginning."""
    spool.keep(1, report(1))
    disk.fault = Fault(number=len(disk.operations) + 2, mode=Mode.KILL_AFTER)
    with pytest.raises(Killed):
        spool.acknowledge(spool.head(), now_s=1000)

    again = opened(disk.restarted(lambda: False))

    assert seqs(again) == [1]
    assert again.acknowledged() == 0


def test_skips_are_counted_on_a_full_disk(disk: SimulatedDisk, spool: SpoolFiles) -> None:
    """And survive the end of the process."""
    disk.full = True
    spool.count_skip()
    spool.count_skip()

    assert spool.skipped() == 2
    assert opened(disk.restarted(lambda: False)).skipped() == 2


def test_a_kept_report_carries_the_skips_away(spool: SpoolFiles) -> None:
    """The next report counts from nothing, without anything having to be written."""
    spool.count_skip()
    spool.keep(1, report(1))

    assert spool.skipped() == 0
    spool.count_skip()
    assert spool.skipped() == 1


def test_a_torn_skip_leaves_the_count_before(disk: SimulatedDisk, spool: SpoolFiles) -> None:
    """The counter is written in two places in turn."""
    spool.count_skip()
    disk.fault = Fault(number=len(disk.operations) + 1, mode=Mode.TORN)
    with pytest.raises(Killed):
        spool.count_skip()

    assert opened(disk.restarted(lambda: True)).skipped() == 1


def test_skips_that_cannot_be_written_are_still_counted(
    disk: SimulatedDisk, spool: SpoolFiles
) -> None:
    """In memory, and with the next one on the disk."""
    disk.fault = Fault(number=len(disk.operations) + 1, mode=Mode.ERROR_BEFORE)
    with pytest.raises(AgentError):
        spool.count_skip()
    assert spool.skipped() == 1

    spool.count_skip()

    assert opened(disk.restarted(lambda: False)).skipped() == 2


def test_what_a_crash_left_half_written_is_swept_away(disk: SimulatedDisk) -> None:
    """Temporary files do not gather."""
    spool = opened(disk)
    disk.fault = Fault(number=len(disk.operations) + 2, mode=Mode.TORN)
    with pytest.raises(Killed):
        spool.keep(1, report(1))

    again = disk.restarted(lambda: True)
    assert seqs(opened(again)) == []
    assert again.names(f"{CHAIN}/waiting") == []
