"""Rounds of device evidence, read: what was signed, what it showed, and why chips did not sign."""

from typing import Any

import msgspec
from sqlalchemy import Connection, select

from chipledger_evidence.claims import NoEvidence
from chipledger_evidence.codec import b64url_encode
from chipledger_evidence.entry import EntryType
from chipledger_evidence.gpu.facts import FACTS, level
from chipledger_evidence.gpu.result import EvidenceResult, Piece
from chipledger_server.adapters import schema
from chipledger_server.domain.rounds import TEST_MARK
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.views import EvidenceRound, Statement

_ROUNDS = schema.rounds.c
_RECORDS = schema.records.c
_REASONS = msgspec.json.Decoder(tuple[NoEvidence, ...])


def newest_round(connection: Connection, host: str, when: When) -> EvidenceRound | None:
    """Return the newest round of a host up to a time.

    Reasons why chips did not sign are kept of the newest round alone; before it, the newest
    round that was judged is what there is.
    """
    newest = connection.execute(
        select(schema.rounds).where(_ROUNDS.host == host, _ROUNDS.at_ms <= when.seen_until_ms)
    ).first()
    judged = _newest_result(connection, host, when)
    if newest is None:
        return None if judged is None else _round(judged)
    token = b64url_encode(newest.token)
    if judged is not None and judged.token == token:
        return _round(judged, reasons=_reasons(newest.reasons))
    return EvidenceRound(
        at_ms=newest.at_ms,
        judged_ms=None,
        token=token,
        statements=(),
        reasons=_reasons(newest.reasons),
    )


def _newest_result(connection: Connection, host: str, when: When) -> EvidenceResult | None:
    query = (
        select(_RECORDS.record)
        .where(
            _RECORDS.subject == host,
            _RECORDS.type == EntryType.RESULT,
            _RECORDS.time_ms <= when.seen_until_ms,
        )
        .order_by(_RECORDS.pos.desc())
        .limit(1)
    )
    record = connection.execute(query).scalar()
    return None if record is None else msgspec.json.decode(record, type=EvidenceResult)


def _round(result: EvidenceResult, *, reasons: tuple[str, ...] = ()) -> EvidenceRound:
    return EvidenceRound(
        at_ms=result.received,
        judged_ms=result.at,
        token=result.token,
        statements=tuple(_statement(piece, result.anchors) for piece in result.pieces),
        reasons=reasons,
    )


def _statement(piece: Piece, anchors: str) -> Statement:
    facts = piece.facts
    return Statement(
        place=piece.chip,
        device=facts.device_class,
        worth=level(facts),
        pdi=facts.pdi,
        die=facts.die,
        driver=facts.driver,
        vbios=facts.vbios,
        facts={name: facts.of(name).value for name in FACTS},
        reasons=tuple(f"{one.code}: {one.detail}" for one in facts.reasons),
        digest=piece.digest,
        anchors=anchors,
        simulated=anchors.endswith(TEST_MARK),
    )


def _reasons(raw: Any) -> tuple[str, ...]:  # noqa: ANN401 - a column's value
    return tuple(_in_words(reason) for reason in _REASONS.decode(bytes(raw)))


def _in_words(reason: NoEvidence) -> str:
    which = "the host" if reason.chip is None else f"device {reason.chip}"
    detail = f" ({reason.detail})" if reason.detail else ""
    return f"{which}: {reason.code}, asked {reason.source}{detail}"
