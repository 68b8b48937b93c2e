"""Rules of the spool: names, order, bounds, and what may ever be deleted.

A report's file name says its place in the chain, so that a directory listing alone, even
with unreadable files in it, yields the chain's head and never a number used twice::

    waiting  0000000000000042.<identity>.clr
    sent     0000000000000042.<identity>.<acknowledged, Unix seconds>.clr
    aside    0000000000000042.<identity>.<code>.clr
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chipledger_agent.domain.chain import START, Link
from chipledger_evidence.ids import TokenId

SUFFIX = ".clr"
_SEQ_DIGITS = 16
_NAME = re.compile(r"^(\d{16})\.([A-Za-z0-9_-]{43})(?:\.([a-z0-9-]{1,64}))?\.clr$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """A report in one of the spool's folders, as its file name tells it.

    Attributes:
        link: its place in the chain.
        note: when it was acknowledged (sent) or why it was put aside; empty while it waits.
    """

    link: Link
    note: str = ""

    @property
    def name(self) -> str:
        """The file name."""
        middle = f".{self.note}" if self.note else ""
        return f"{self.link.seq:0{_SEQ_DIGITS}d}.{self.link.token}{middle}{SUFFIX}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may wait, reports put aside and not yet told included.

    Attributes:
        max_reports: most reports.
        max_bytes: most bytes of them together.
    """

    max_reports: int
    max_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much waits now."""

    reports: int
    size_bytes: int


def parse_name(name: str) -> Filed | None:
    """Return what a file name says, or ``None`` for a file that is not a report."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return Filed(link=Link(seq=int(match[1]), token=TokenId(match[2])), note=match[3] or "")


def in_order(names: Iterable[str]) -> list[Filed]:
    """Return the reports among `names` in chain order."""
    filed = [item for name in names if (item := parse_name(name)) is not None]
    return sorted(filed, key=lambda item: (item.link.seq, item.link.token, item.note))


def head_of(reports: Iterable[Filed]) -> Link:
    """Return the newest link among `reports`, wherever they are filed."""
    return max((item.link for item in reports), key=lambda link: link.seq, default=START)


def has_room(usage: Usage, limits: Limits) -> bool:
    """Tell whether one more report may wait."""
    return usage.reports < limits.max_reports and usage.size_bytes < limits.max_bytes


def expired(sent: Sequence[Filed], *, now_s: int, keep_s: int, head: Link) -> list[Filed]:
    """Return the acknowledged reports that may be deleted.

    The newest report of all stays for ever: its name is this host's memory of its chain.
    """
    return [
        item
        for item in sent
        if item.link != head and item.note.isdigit() and now_s - int(item.note) > keep_s
    ]
