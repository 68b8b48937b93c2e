"""What the collector answers to agents, as structs that both sides share.

Nobody signs an answer, and a collector is upgraded before its agents: an agent ignores members
it does not know. What an agent sends stays strict.
"""

from typing import Annotated, Literal

import msgspec

from chipledger_evidence.codec import Answer, Wire
from chipledger_evidence.framing import MAX_TOKENS
from chipledger_evidence.ids import Digest, HostName, whole
from chipledger_evidence.inventory import Count, Text

Want = Literal["full", "evidence"]

TRY_AGAIN = frozenset({"disk-full", "not-stored", "overloaded", "rate-limited", "stopping"})
"""Codes of a refused token that say nothing against the token: keep it and send it again."""


Purpose = Literal["report", "evidence"]


class ChallengeRequest(Wire, frozen=True, kw_only=True):
    """Ask for a nonce; unsigned, so it must cost nothing and say nothing to a stranger.

    Attributes:
        host: who will echo it.
        kid: with which key.
        purpose: ``evidence`` asks for the longer life that a round of device evidence takes.
    """

    host: HostName
    kid: Digest
    purpose: Purpose = "report"


class ChainHead(Answer, frozen=True, kw_only=True):
    """The last token of the host that the collector keeps; `seq` 0 when there is none."""

    seq: Count
    token: Digest


class Challenge(Answer, frozen=True, kw_only=True):
    """A single-use nonce for this host.

    Attributes:
        expires: Unix seconds by the collector's clock.
        head: where the host's chain stands; a host that lost its state resumes from it.
        nonce: to be echoed in `eat_nonce`.
        want: what the collector would like to have signed.
    """

    expires: Count
    head: ChainHead
    nonce: Digest
    want: Want | None = None


class Stored(Answer, frozen=True, kw_only=True, tag_field="status", tag="stored"):
    """The token is durable and in the log's queue under this leaf; a retry gives this again."""

    freshness: Literal["challenged", "epoch", "late"]
    leaf: Digest
    received: Count
    token: Digest


class RefusedToken(Answer, frozen=True, kw_only=True, tag_field="status", tag="refused"):
    """The token was not taken; put it aside and sign its `seq` and id into the next one."""

    code: Annotated[str, whole("[a-z][a-z0-9-]{0,63}")]
    detail: Text
    token: Digest


class ReportAnswer(Answer, frozen=True, kw_only=True):
    """One result for each token, in the order of the body.

    Attributes:
        epoch: value to echo in the next token.
        results: what became of each token.
        want: what the collector would like next.
        want_by: Unix seconds by which it would like it.
    """

    epoch: Digest
    results: Annotated[tuple[Stored | RefusedToken, ...], msgspec.Meta(max_length=MAX_TOKENS)]
    want: Want | None = None
    want_by: Count | None = None


class Problem(Answer, frozen=True, kw_only=True):
    """RFC 9457 problem document.

    Attributes:
        code: stable code, see docs/ERRORS.md.
        detail: what happened to which object.
        status: HTTP status.
        title: short text of the code.
        type: ``about:blank#`` and the code.
        hint: what to do, where something can be done.
    """

    code: str
    detail: str
    status: int
    title: str
    type: str
    hint: str | None = None
