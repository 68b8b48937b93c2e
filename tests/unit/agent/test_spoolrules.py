"""Names and bounds of the spool."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipledger_agent.domain.chain import START, Link
from chipledger_agent.domain.spoolrules import (
    Filed,
    Limits,
    Usage,
    expired,
    has_room,
    head_of,
    in_order,
    parse_name,
)
from chipledger_evidence.ids import TokenId, sha256_b64

LINKS = st.builds(
    lambda seq: Link(seq=seq, token=TokenId(sha256_b64(str(seq).encode()))),
    st.integers(min_value=1, max_value=2**53 - 1),
)
FILED = st.builds(
    lambda link, note: Filed(link=link, note=note),
    LINKS,
    st.sampled_from(["", "1790000000", "foreign-nonce"]),
)


@given(FILED)
def test_a_file_name_tells_all_that_was_put_into_it(filed: Filed) -> None:
    """Place in the chain and note are read back as they were."""
    assert parse_name(filed.name) == filed


@pytest.mark.parametrize(
    "name", ["", "lock", "1.clr", "0000000000000001.short.clr", "0000000000000001.x.clr.tmp"]
)
def test_other_files_are_no_reports(name: str) -> None:
    """A stray file changes nothing."""
    assert parse_name(name) is None


@given(st.lists(FILED, unique_by=lambda filed: filed.link.seq))
def test_reports_are_listed_in_chain_order(reports: list[Filed]) -> None:
    """Whatever order the file system gives names in."""
    listed = [item.link.seq for item in in_order(item.name for item in reports)]

    assert listed == sorted(item.link.seq for item in reports)
    assert head_of(reports).seq == max(listed, default=START.seq)


def test_the_newest_report_is_never_deleted() -> None:
    """Its name is the host's memory of its chain."""
    sent = [Filed(link=Link(seq=n, token=TokenId(sha256_b64(b"%d" % n))), note="0") for n in (1, 2)]

    assert expired(sent, now_s=10**9, keep_s=1, head=sent[1].link) == sent[:1]


def test_retention_counts_from_the_acknowledgement() -> None:
    """A report that waited for weeks still stays for the whole retention once it is taken."""
    link = Link(seq=1, token=TokenId(sha256_b64(b"1")))
    sent = [Filed(link=link, note="1000")]

    assert expired(sent, now_s=1700, keep_s=700, head=START) == []
    assert expired(sent, now_s=1701, keep_s=700, head=START) == sent


def test_room_ends_at_either_bound() -> None:
    """Count and bytes are both limits."""
    limits = Limits(max_reports=2, max_bytes=100)

    assert has_room(Usage(reports=1, size_bytes=99), limits)
    assert not has_room(Usage(reports=2, size_bytes=0), limits)
    assert not has_room(Usage(reports=0, size_bytes=100), limits)
