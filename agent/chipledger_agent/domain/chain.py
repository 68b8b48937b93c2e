"""Where this host's chain of tokens stands, and how it agrees with the collector's memory.

`seq` and `prev` make one chain a host (docs/WIRE.md 3.3). The host never uses a `seq` twice;
when it lost its memory (new disk, restored backup) it continues from the collector's head.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from chipledger_evidence.answers import ChainHead
from chipledger_evidence.ids import NO_PREVIOUS, TokenId


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One signed token of this host: its number and its identity; number 0 is before the first."""

    seq: int
    token: TokenId


START = Link(seq=0, token=TokenId(NO_PREVIOUS))
"""What the first token continues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """The collector knows more of this chain than we do: continue from its head, and say so."""

    head: Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Resend:
    """The collector lost reports it had acknowledged: send those after `after_seq` again."""

    after_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InStep:
    """Nothing to do: the next token continues our own head."""


Agreement = Resume | Resend | InStep


def agree(
    *, head: Link, known: Mapping[int, TokenId], acknowledged: int, collector: ChainHead
) -> Agreement:
    """Return what follows from the collector's word on where the chain stands.

    Args:
        head: newest token this host remembers having signed.
        known: tokens this host still holds, by `seq`.
        acknowledged: highest `seq` this host holds an acknowledgement for, 0 when none.
        collector: the head in a challenge's answer.
    """
    theirs = Link(seq=collector.seq, token=TokenId(collector.token))
    if theirs.seq > head.seq:
        return Resume(head=theirs)
    ours = known.get(theirs.seq)
    forked = theirs.seq > 0 and ours is not None and ours != theirs.token
    if forked and theirs.seq == head.seq:
        return Resume(head=theirs)
    if not forked and acknowledged > theirs.seq:
        return Resend(after_seq=theirs.seq)
    # A fork below our head stays as it is: continuing from theirs would use a number twice.
    return InStep()
