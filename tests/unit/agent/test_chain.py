"""How the host's chain agrees with the collector's memory."""

from chipledger_agent.domain.chain import START, Agreement, InStep, Link, Resend, Resume, agree
from chipledger_evidence.answers import ChainHead
from chipledger_evidence.ids import NO_PREVIOUS, TokenId, sha256_b64


def link(seq: int, variant: str = "") -> Link:
    """Return a link with an identity of its own."""
    return Link(seq=seq, token=TokenId(sha256_b64(f"{seq}{variant}".encode())))


OURS = {seq: link(seq).token for seq in range(1, 6)}


def agreement(theirs: Link, *, head: Link | None = None, acknowledged: int = 5) -> Agreement:
    """Return what follows for a host with reports 1 to 5."""
    return agree(
        head=head or link(5),
        known=OURS,
        acknowledged=acknowledged,
        collector=ChainHead(seq=theirs.seq, token=theirs.token),
    )


def test_a_host_without_memory_resumes_from_the_collectors_head() -> None:
    """A new disk does not start the chain over."""
    found = agree(
        head=START, known={}, acknowledged=0, collector=ChainHead(seq=7, token=link(7).token)
    )

    assert found == Resume(head=link(7))


def test_a_host_with_an_old_disk_resumes_from_the_collectors_head() -> None:
    """What the collector knows beyond our memory was ours once."""
    assert agreement(link(9)) == Resume(head=link(9))


def test_equal_heads_are_in_step() -> None:
    """Nothing to do."""
    assert agreement(link(5)) == InStep()


def test_a_collector_behind_what_it_acknowledged_gets_the_rest_again() -> None:
    """A collector restored from a backup asks by its head."""
    assert agreement(link(3)) == Resend(after_seq=3)


def test_a_collector_that_lost_everything_gets_everything_again() -> None:
    """Head 0 names no report."""
    assert agreement(Link(seq=0, token=TokenId(NO_PREVIOUS))) == Resend(after_seq=0)


def test_reports_that_only_wait_are_not_sent_again() -> None:
    """A collector behind our spool has lost nothing."""
    assert agreement(link(3), acknowledged=3) == InStep()


def test_a_fork_at_our_head_continues_from_the_collectors_report() -> None:
    """The next number is free on both branches, so the collector's branch goes on."""
    assert agreement(link(5, "other")) == Resume(head=link(5, "other"))


def test_a_fork_below_our_head_never_uses_a_number_twice() -> None:
    """Continuing from there would sign number 4 with another content."""
    assert agreement(link(3, "other")) == InStep()
