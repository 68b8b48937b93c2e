"""The spool as files: one report a file, its evidence in it, its place in the chain in its name.

Folders of one chain (one enrolled host): ``waiting``, ``sent``, ``aside`` (refused, not told
yet) and ``told`` (refused, and named in an accepted token). Moving a report is one rename.
The listing of the folders is the only truth; nothing is cached, so an operation that failed
half-way leaves nothing in memory that the disk does not know.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

import msgspec

from chipledger_agent.adapters.durable import TEMPORARY, Disk, storage_failed, write_durably
from chipledger_agent.adapters.skips import SkipCounter
from chipledger_agent.domain.chain import Link
from chipledger_agent.domain.failures import AgentCode, AgentError
from chipledger_agent.domain.spoolrules import (
    Filed,
    Limits,
    Usage,
    expired,
    has_room,
    head_of,
    in_order,
)
from chipledger_agent.ports import Report
from chipledger_evidence.claims import EvidenceRef, Refused
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.framing import decode_body, encode_body
from chipledger_evidence.ids import TokenId, sha256_b64
from chipledger_evidence.token import Token

WAITING, SENT, ASIDE, TOLD = "waiting", "sent", "aside", "told"
_KEEP_TOLD = 1000
"""Refused reports that stay after an accepted one named them."""
_FOLDERS = (WAITING, SENT, ASIDE, TOLD)


class SpoolFiles:
    """Keeps the promises of :class:`~chipledger_agent.ports.Spool` under one folder of a disk.

    Args:
        disk: where the files are.
        chain: folder of this host's chain.
        limits: how much may wait.
        keep_sent_s: how long acknowledged reports, and refused ones once told, stay.
    """

    def __init__(self, disk: Disk, *, chain: str, limits: Limits, keep_sent_s: int) -> None:
        self._disk = disk
        self._chain = chain
        self._limits = limits
        self._keep_sent_s = keep_sent_s
        self._skips = SkipCounter(disk, chain)
        self._synced = False

    def open(self) -> None:
        """Make the folders, sweep what a crash left, and bring every name to the disk.

        Raises:
            AgentError: `storage-failed`.
        """
        try:
            parents = [*accumulate(self._chain.split("/"), "{}/{}".format)]
            for folder in (*parents, *(f"{self._chain}/{name}" for name in _FOLDERS)):
                self._disk.make_folder(folder)
            self._skips.prepare()
            for folder in _FOLDERS:
                for name in self._disk.names(f"{self._chain}/{folder}"):
                    if name.endswith(TEMPORARY):
                        self._disk.unlink(f"{self._chain}/{folder}/{name}")
            self._settle_doubles()
        except OSError as error:
            raise storage_failed(error, f"preparing the spool {self._chain}") from error

    def head(self) -> Link:
        """Return the newest report ever kept here."""
        return head_of(self._everything())

    def known(self) -> Mapping[int, TokenId]:
        """Return every report still held, by `seq`."""
        return {item.link.seq: item.link.token for item in self._everything()}

    def acknowledged(self) -> int:
        """Return the highest acknowledged `seq` still held, 0 when none."""
        return max((item.link.seq for item in self._filed(SENT)), default=0)

    def has_room(self) -> bool:
        """Tell whether one more report may wait."""
        return has_room(self.usage(), self._limits)

    def usage(self) -> Usage:
        """Return how much waits, reports put aside and not yet told included."""
        reports = size_bytes = 0
        with self._failing("measuring the spool"):
            for folder in (WAITING, ASIDE):
                for item in self._filed(folder):
                    reports += 1
                    size_bytes += self._disk.size(self._path(folder, item))
        return Usage(reports=reports, size_bytes=size_bytes)

    def keep(self, seq: int, token: Token, blobs: Sequence[bytes] = ()) -> None:
        """Make `token` and the blobs it names durable together; only then may it be sent."""
        item = Filed(link=Link(seq=seq, token=token.identity))
        folder = f"{self._chain}/{WAITING}"
        self._synced = False
        with self._failing(f"keeping report {seq}"):
            try:
                write_durably(self._disk, folder, item.name, encode_body([token], blobs))
            except OSError:
                # Not sure to be durable: take it back. Where that fails too it still stands in
                # the listing, so its number stays used and `waiting` will sync it first.
                with contextlib.suppress(OSError):
                    self._disk.unlink(f"{folder}/{item.name}")
                raise
        self._synced = True
        self._skips.carried()

    def waiting(self) -> Sequence[Link]:
        """Return the reports not yet answered, oldest first. All of them are durable."""
        if not self._synced:
            with self._failing("syncing the spool"):
                self._disk.sync_folder(f"{self._chain}/{WAITING}")
            self._synced = True
        return [item.link for item in self._filed(WAITING)]

    def load(self, link: Link) -> Report:
        """Return a waiting report; `report-unreadable` when its bytes are not what was signed."""
        with self._failing(f"reading report {link.seq}"):
            data = self._disk.read(self._path(WAITING, Filed(link=link)))
        try:
            body = decode_body(data)
            (token,) = body.tokens
        except (EvidenceError, ValueError) as error:
            raise _unreadable(link) from error
        if token.identity != link.token or _named(token) != {*map(sha256_b64, body.blobs)}:
            raise _unreadable(link)
        return Report(token=token, blobs=body.blobs)

    def acknowledge(self, link: Link, *, now_s: int) -> None:
        """File a waiting report as sent; it stays for the retention."""
        self._move(Filed(link=link), WAITING, Filed(link=link, note=str(now_s)), SENT)

    def put_aside(self, link: Link, *, code: str) -> None:
        """File a waiting report as refused, to be named in the next tokens."""
        self._move(Filed(link=link), WAITING, Filed(link=link, note=code), ASIDE)

    def untold(self) -> Sequence[Refused]:
        """Return the refused reports that no accepted token has named, oldest first."""
        return [
            Refused(code=item.note, seq=item.link.seq, token=item.link.token)
            for item in self._filed(ASIDE)
        ]

    def told(self, refused: Sequence[Refused]) -> None:
        """Remember that an accepted token named these."""
        named = {(item.seq, item.token) for item in refused}
        for item in self._filed(ASIDE):
            if (item.link.seq, item.link.token) in named:
                self._move(item, ASIDE, item, TOLD)

    def requeue(self, *, after_seq: int) -> int:
        """Let acknowledged reports after `after_seq` wait again; return how many."""
        again = [item for item in self._filed(SENT) if item.link.seq > after_seq]
        for item in again:
            self._move(item, SENT, Filed(link=item.link), WAITING)
        return len(again)

    def count_skip(self) -> None:
        """Count one scan that was not made or not kept; works on a full disk."""
        with self._failing("counting a skipped scan"):
            self._skips.add(self.head().seq)

    def skipped(self) -> int:
        """Return the scans counted since the newest kept report."""
        return self._skips.count(self.head().seq)

    def prune(self, *, now_s: int) -> int:
        """Delete what its retention has passed for; return how many."""
        gone = expired(self._filed(SENT), now_s=now_s, keep_s=self._keep_sent_s, head=self.head())
        old = [item for item in self._filed(TOLD)[:-_KEEP_TOLD] if item.link != self.head()]
        with self._failing("pruning"):
            for folder, items in ((SENT, gone), (TOLD, old)):
                for item in items:
                    self._disk.unlink(self._path(folder, item))
                if items:
                    self._disk.sync_folder(f"{self._chain}/{folder}")
        return len(gone) + len(old)

    def _settle_doubles(self) -> None:
        """Put aside a second report of one number: neither was sent (see `keep`).

        A rename between folders that a crash left half done shows as one report in two
        folders: the earlier folder goes on, because everything done from there is repeatable.
        """
        held: set[Link] = set()
        numbers: set[int] = set()
        for folder in _FOLDERS:
            for item in self._filed(folder):
                if item.link in held:
                    self._disk.unlink(self._path(folder, item))
                elif folder == WAITING and item.link.seq in numbers:
                    self.put_aside(item.link, code=AgentCode.SEQ_DOUBLED)
                else:
                    held.add(item.link)
                    numbers.add(item.link.seq)

    def _move(self, item: Filed, source: str, renamed: Filed, target: str) -> None:
        with self._failing(f"filing report {item.link.seq} under {target}"):
            self._disk.rename(self._path(source, item), self._path(target, renamed))
            # The new name first: a crash then finds the report twice rather than not at all.
            self._disk.sync_folder(f"{self._chain}/{target}")
            self._disk.sync_folder(f"{self._chain}/{source}")

    def _everything(self) -> Iterable[Filed]:
        return [item for folder in _FOLDERS for item in self._filed(folder)]

    def _filed(self, folder: str) -> list[Filed]:
        with self._failing(f"listing {folder}"):
            return in_order(self._disk.names(f"{self._chain}/{folder}"))

    def _path(self, folder: str, item: Filed) -> str:
        return f"{self._chain}/{folder}/{item.name}"

    @contextlib.contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise storage_failed(error, what) from error


class _Evidence(msgspec.Struct, frozen=True):
    """The claim that names a token's blobs."""

    evidence: tuple[EvidenceRef, ...] = ()


def _named(token: Token) -> set[str]:
    """Return the digests of the blobs that `token`, whose identity is known to be right, names."""
    claims = msgspec.json.decode(token.payload, type=_Evidence)
    return {ref.digest for ref in claims.evidence}


def _unreadable(link: Link) -> AgentError:
    return AgentError(
        AgentCode.REPORT_UNREADABLE,
        f"the file of report {link.seq} does not hold what was signed",
        hint="the disk lost bytes after they were synced; check it",
    )
