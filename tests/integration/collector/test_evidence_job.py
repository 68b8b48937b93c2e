"""The worker that judges evidence: beside the doors, mortal, and never in their way."""

from threading import Event

import pytest

from chipledger_evidence.codec import b64url_decode, b64url_encode
from chipledger_evidence.gpu.envelope import device_nonce
from chipledger_evidence.gpu.facts import Level, level
from chipledger_evidence.gpu.result import EvidenceResult
from chipledger_evidence.ids import sha256_b64
from chipledger_server.domain.rounds import Round, Statement, give_up
from chipledger_server.jobs.evidence import EvidenceJob, Judge
from chipledger_server.jobs.sequencer import SequencerJob
from chipledger_testing.collector_inside import CollectorInside
from chipledger_testing.gpu_pki import NOW, PKI, GpuMaker
from chipledger_testing.rounds import blob_of, die, fail, hang

CHALLENGE = b64url_encode(bytes(range(32)))
KID = sha256_b64(b"host key")
PATIENCE_S = 60


class Waiting:
    """Rounds that wait, in memory."""

    def __init__(self, *rounds: Round) -> None:
        self.rounds = list(rounds)
        self.results: list[EvidenceResult] = []
        self.looked = Event()
        self.done = Event()

    def due(self, most: int) -> list[Round]:
        """Return the oldest rounds that wait."""
        self.looked.set()
        return self.rounds[:most]

    def conclude(self, round_: Round, result: EvidenceResult) -> None:
        """Take a round off the list."""
        self.rounds.remove(round_)
        self.results.append(result)
        if not self.rounds:
            self.done.set()


def round_of(blob: bytes, *, pos: int = 1) -> Round:
    """Return a round of one statement."""
    return Round(
        pos=pos,
        host="h",
        site="s",
        test_site=True,
        kid=KID,
        token=sha256_b64(str(pos).encode()),
        inv=sha256_b64(b"inventory"),
        received_ms=0,
        challenge=CHALLENGE,
        statements=(Statement(digest=sha256_b64(blob), kind="nvidia-spdm-1.1", chip=0, blob=blob),),
    )


def good() -> bytes:
    """Return a chip's statement over the round's device nonce."""
    return blob_of(GpuMaker(1), device_nonce(b64url_decode(CHALLENGE), b64url_decode(KID)))


def job_over(waiting: Waiting, **how: Judge) -> EvidenceJob:
    """Return a job that looks all the time."""
    return EvidenceJob(
        lambda: waiting,
        anchors=lambda _round: PKI.pins,
        now_ms=lambda: int(NOW.timestamp()) * 1000,
        look_s=0.01,
        conclude=waiting.conclude,
        **how,
    )


def run(waiting: Waiting, **how: Judge) -> None:
    """Let the job judge everything that waits."""
    job = job_over(waiting, **how)
    job.start()
    assert waiting.done.wait(PATIENCE_S)
    job.stop()


def test_a_round_is_judged_in_another_process() -> None:
    """A chip that signs over this round's nonce is chip-signed; junk is not."""
    waiting = Waiting(round_of(good()), round_of(b"junk", pos=2))
    run(waiting)

    worth = [level(result.pieces[0].facts) for result in waiting.results]
    assert worth == [Level.CHIP_SIGNED, Level.NONE]


@pytest.mark.parametrize("judge", [die, fail])
def test_a_worker_that_dies_takes_its_round_with_it_and_no_other(judge: Judge) -> None:
    """Tried again, then given up with a result that says that nothing was checked."""
    waiting = Waiting(round_of(good()), round_of(good(), pos=2))
    run(waiting, judge=judge)

    assert [result.token for result in waiting.results] == [
        sha256_b64(b"1"),
        sha256_b64(b"2"),
    ]
    for result in waiting.results:
        (piece,) = result.pieces
        assert level(piece.facts) is Level.NONE
        assert piece.facts.reasons[0].code == "evidence-not-judged"


def test_a_worker_that_hangs_does_not_keep_the_collector_from_ending() -> None:
    """It is killed; its round is there at the next start."""
    waiting = Waiting(round_of(good()))
    job = job_over(waiting, judge=hang)
    job.start()
    assert waiting.looked.wait(PATIENCE_S)
    job.stop()

    assert (len(waiting.rounds), waiting.results) == (1, [])


def test_a_result_that_cannot_be_kept_now_is_kept_later(inside: CollectorInside) -> None:
    """As on a full disk: it waits with the writer, and nothing is judged twice for it."""
    kept: list[str] = []
    full = [True]

    def conclude(round_: Round, _result: EvidenceResult) -> None:
        if full.pop() if full else False:
            raise OSError("disk full")
        kept.append(round_.token)

    job = SequencerJob(
        inside.sequencer,
        clock=inside.clock,
        policy=inside.config.log,
        changed=lambda _records: None,
        conclude=conclude,
    )
    one, two = round_of(b"a"), round_of(b"b", pos=2)
    for each in (one, two):
        job.judged(each, give_up(each, PKI.pins, 0, "no worker here"))
    job.tick()
    assert kept == []
    job.tick()
    assert kept == [one.token, two.token]
