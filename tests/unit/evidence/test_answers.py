"""Answers of a newer collector can be read by an older agent."""

import pytest

from chipledger_evidence.answers import Challenge, ReportAnswer
from chipledger_evidence.codec import decode_answer
from chipledger_evidence.errors import Code, EvidenceError

ROOM = 4096


def test_unknown_members_of_an_answer_are_ignored() -> None:
    """A member of a later version changes nothing of what is known."""
    text = b'{"expires":9,"head":{"seq":0,"token":"%s","new":1},"later":[],"nonce":"%s"}'
    answer = decode_answer(text % (b"A" * 43, b"B" * 42 + b"A"), Challenge, max_bytes=ROOM)
    assert answer.expires == 9
    assert answer.head.seq == 0


@pytest.mark.parametrize("text", [b"", b"[]", b'{"results":[]}', b"\xff", b"[" * 2000])
def test_what_is_no_answer_is_refused_with_a_code(text: bytes) -> None:
    """Known members are still required, typed and bounded."""
    with pytest.raises(EvidenceError) as caught:
        decode_answer(text, ReportAnswer, max_bytes=ROOM)
    assert caught.value.code == Code.MALFORMED_JSON


def test_an_answer_is_bounded() -> None:
    """An endless answer is refused by its size."""
    with pytest.raises(EvidenceError) as caught:
        decode_answer(b" " * (ROOM + 1), ReportAnswer, max_bytes=ROOM)
    assert caught.value.code == Code.OVERSIZE
