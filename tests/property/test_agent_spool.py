"""The spool against a model, over any sequence of operations and crashes."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chipledger_agent.adapters.spool_files import SpoolFiles
from chipledger_agent.domain.chain import Link
from chipledger_agent.domain.spoolrules import Limits
from chipledger_agent.ports import Report
from chipledger_evidence.claims import EvidenceRef
from chipledger_evidence.ids import sha256_b64
from chipledger_evidence.token import sign_token
from chipledger_testing.agent_host import CHAIN, DAY_S
from chipledger_testing.claims import heartbeat
from chipledger_testing.disk import SimulatedDisk
from chipledger_testing.keys import SeededSigner

SIGNER = SeededSigner("spool machine", alg="Ed25519")
KEEP_S = 7 * DAY_S


class SpoolMachine(RuleBasedStateMachine):
    """Each report is in exactly one place, and every promise outlives every crash."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = SimulatedDisk()
        self.now_s = 1_790_000_000
        self.waiting: dict[Link, Report] = {}
        self.sent: dict[Link, int] = {}
        self.aside: dict[Link, str] = {}
        self.head = 0
        self.skipped = 0

    @initialize()
    def begin(self) -> None:
        """A new host."""
        self.open()

    def open(self) -> None:
        """Begin a process on the disk as it is."""
        limits = Limits(max_reports=1000, max_bytes=10**9)
        self.spool = SpoolFiles(self.disk, chain=CHAIN, limits=limits, keep_sent_s=KEEP_S)
        self.spool.open()

    @rule(blobs=st.lists(st.binary(min_size=1, max_size=64), max_size=3, unique=True))
    def keep(self, blobs: list[bytes]) -> None:
        """A report is made, with or without evidence beside it."""
        self.head += 1
        refs = tuple(
            EvidenceRef(bytes=len(blob), digest=sha256_b64(blob), kind="test-kind")
            for blob in blobs
        )
        claims = heartbeat(seq=self.head, uptime=self.now_s, evidence=refs)
        token = sign_token(claims, SIGNER)
        self.spool.keep(self.head, token, blobs)
        self.waiting[Link(seq=self.head, token=token.identity)] = Report(
            token=token, blobs=tuple(blobs)
        )
        self.skipped = 0

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        """The collector takes a report."""
        link = data.draw(st.sampled_from(sorted(self.waiting, key=lambda item: item.seq)))
        self.spool.acknowledge(link, now_s=self.now_s)
        del self.waiting[link]
        self.sent[link] = self.now_s

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), code=st.sampled_from(["foreign-nonce", "wrong-site"]))
    def refuse(self, data: st.DataObject, code: str) -> None:
        """The collector refuses a report."""
        link = data.draw(st.sampled_from(sorted(self.waiting, key=lambda item: item.seq)))
        self.spool.put_aside(link, code=code)
        del self.waiting[link]
        self.aside[link] = code

    @rule()
    def tell(self) -> None:
        """An accepted report named the refused ones."""
        self.spool.told(self.spool.untold())
        self.aside.clear()

    @rule(back=st.integers(min_value=0, max_value=5))
    def resend(self, back: int) -> None:
        """The collector wants acknowledged reports again."""
        after = max(0, self.head - back)
        again = {link for link in self.sent if link.seq > after}
        assert self.spool.requeue(after_seq=after) == len(again)
        for link in again:
            del self.sent[link]
            self.waiting[link] = self.spool.load(link)

    @rule(days=st.integers(min_value=0, max_value=8))
    def prune(self, days: int) -> None:
        """Time passes and old reports go."""
        self.now_s += days * DAY_S
        self.spool.prune(now_s=self.now_s)
        self.sent = {
            link: taken_s
            for link, taken_s in self.sent.items()
            if self.now_s - taken_s <= KEEP_S or link.seq == self.head
        }

    @rule()
    def skip(self) -> None:
        """A scan is not made."""
        self.spool.count_skip()
        self.skipped += 1

    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """The machine dies; what was not synced may or may not be there."""
        self.disk = self.disk.restarted(lambda: data.draw(st.booleans()))
        self.open()

    @invariant()
    def agrees_with_the_model(self) -> None:
        """Every report is where the model says, in order, byte for byte."""
        order = sorted(self.waiting, key=lambda link: link.seq)
        assert list(self.spool.waiting()) == order
        assert [self.spool.load(link) for link in order] == [self.waiting[link] for link in order]
        assert {item.seq: item.code for item in self.spool.untold()} == {
            link.seq: code for link, code in self.aside.items()
        }
        assert self.spool.acknowledged() == max((link.seq for link in self.sent), default=0)
        assert self.spool.head().seq == self.head
        assert self.spool.skipped() == self.skipped


TestSpool = SpoolMachine.TestCase
