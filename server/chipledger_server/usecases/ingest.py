"""From a framed body to one result a token: verify, judge, make durable, answer.

Steps 1 to 6 of the pipeline are :func:`chipledger_evidence.verify.verify_token`; here follow

7. limits of the host and its site, only now that the sender is proven
8. freshness: what the echoed nonce proves (`foreign-nonce`)
9. durability, with the token and its challenge under unique keys (`spent-nonce`); a token that
   is already kept gets its first answer again
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from chipledger_evidence.answers import RefusedToken, ReportAnswer, Stored, Want
from chipledger_evidence.claims import FullReport, SealedReport
from chipledger_evidence.codec import b64url_decode, b64url_encode, encode_canonical
from chipledger_evidence.entry import (
    SALT_BYTES,
    EntryType,
    TokenAccepted,
    entry_hash,
    make_entry,
)
from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.framing import Body
from chipledger_evidence.nonce import RANDOM_BYTES, Echo, Freshness, Kind, judge, mint
from chipledger_evidence.token import Token
from chipledger_evidence.verify import VerifiedToken, verify_token
from chipledger_server.config import Evidence, Limits, Policy
from chipledger_server.domain.arrival import (
    NEW,
    SPENT,
    Arrival,
    CarriedInventory,
    FirstAnswer,
    Outcome,
    Refusal,
)
from chipledger_server.domain.codes import Code as ServerCode
from chipledger_server.domain.codes import ServerError
from chipledger_server.domain.packing import (
    Form,
    cut_inventory,
    pack,
    pack_body,
)
from chipledger_server.domain.rates import Bucket
from chipledger_server.domain.vitals import Doors
from chipledger_server.ports import Beside, Clock, Entropy, KnownKey, TokenWriter
from chipledger_server.usecases.keys import Keys

_NOBODY = ""
_DETAIL_CHARACTERS = 256
_CUT = Form.WORDS | Form.CUT

PROVEN = frozenset(
    {
        Code.MALFORMED_JSON,
        Code.NOT_CANONICAL,
        Code.WRONG_HOST,
        Code.WRONG_SITE,
        Code.INVENTORY_DIGEST_MISMATCH,
        Code.PROVIDER_NOT_ACCEPTED,
        Code.FOREIGN_NONCE,
        Code.SPENT_NONCE,
    }
)
"""Refusals after the signature held: only these may be held against a host, because anybody who
knows a `kid` can make the others."""
Step = tuple[KnownKey, VerifiedToken, Arrival] | RefusedToken


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The answer to one request, and the code its HTTP status comes from (None: stored)."""

    answer: ReportAnswer
    code: str | None


class Ingest:
    """The reports' door, without its HTTP."""

    def __init__(
        self,
        *,
        keys: Keys,
        writer: TokenWriter,
        clock: Clock,
        entropy: Entropy,
        nonce_keys: Sequence[bytes],
        policy: Policy,
        evidence: Evidence,
        limits: Limits,
        counts: Doors,
        beside: Beside,
    ) -> None:
        self._keys = keys
        self._beside = beside
        self._round_ms = evidence.interval_s * 1000
        self._writer = writer
        self._clock = clock
        self._entropy = entropy
        self._nonce_keys = nonce_keys
        self._window_s = policy.epoch_limit_s
        self._limits = limits
        self._counts = counts
        self._host_rates: dict[str, Bucket] = {}
        self._host_bytes: dict[str, Bucket] = {}
        self._site_rates: dict[str, Bucket] = {}
        self._round_rates: dict[str, Bucket] = {}
        self._refusal_rates: dict[str, Bucket] = {}

    async def take(self, body: Body) -> Answered:
        """Return what became of every token of `body`, once what is answered is durable.

        Raises:
            ServerError: nothing of the request was judged: `disk-full`, `overloaded`, …
        """
        now_ms = self._clock.now_ms()
        blobs = {hashlib.sha256(blob).digest(): blob for blob in body.blobs}
        steps = [self._judge(token, blobs, now_ms) for token in body.tokens]
        arrivals = [step[2] for step in steps if type(step) is tuple]
        carrying = [arrival for arrival in arrivals if arrival.blobs]
        if carrying:  # a round's bytes take a thousand times a heartbeat's: others do not wait
            await self._beside(partial(_pack_blobs, carrying))
        outcomes = iter(await self._writer.submit(arrivals) if arrivals else ())
        results = [
            step if isinstance(step, RefusedToken) else self._conclude(step, next(outcomes))
            for step in steps
        ]
        return self._answer(body, steps, results, now_ms)

    def _judge(self, token: Token, blobs: dict[bytes, bytes], now_ms: int) -> Step:
        try:
            verified = verify_token(token, self._keys.trust, known=self._keys.opened)
            known = self._keys.verified(verified.trust.key.kid)
            self._limit(verified, now_ms)
            claims = verified.claims
            nonce = b64url_decode(claims.eat_nonce)
            echo = judge(
                nonce,
                keys=self._nonce_keys,
                host=claims.host,
                now_s=now_ms // 1000,
                epoch_window_s=self._window_s,
            )
        except (EvidenceError, ServerError) as error:
            return self._refuse(token, error, now_ms)
        spends = nonce if echo.kind is not Kind.EPOCH else None
        arrival = self._arrival(known, verified, echo, now_ms)
        arrival.nonce = spends
        if claims.evidence:
            arrival.blobs = _named_blobs(verified, blobs)
        return known, verified, arrival

    def _limit(self, verified: VerifiedToken, now_ms: int) -> None:
        limits, trust = self._limits, verified.trust
        host = self._host_rates.get(trust.host)
        if host is None:
            host = Bucket(limits.host_burst, limits.host_tokens_per_minute)
            self._host_rates[trust.host] = host
        site = self._site_rates.get(trust.site)
        if site is None:
            site = Bucket(limits.site_burst, limits.site_tokens_per_minute)
            self._site_rates[trust.site] = site
        kib = self._host_bytes.get(trust.host)
        if kib is None:
            kib = Bucket(limits.host_burst_kib, limits.host_kib_per_minute)
            self._host_bytes[trust.host] = kib
        size = len(verified.token.payload) + sum(blob.bytes for blob in verified.claims.evidence)
        for bucket, whose, amount in (
            (host, trust.host, 1),
            (site, trust.site, 1),
            (kib, trust.host, (size >> 10) + 1),
        ):
            if not bucket.take(now_ms, amount):
                raise ServerError(
                    ServerCode.RATE_LIMITED,
                    f"{whose} sends more than it may",
                    hint="send again later",
                    retry_after_s=bucket.wait_s(),
                )
        if verified.claims.evidence:
            self._limit_rounds(trust.host, now_ms)

    def _limit_rounds(self, host: str, now_ms: int) -> None:
        """Judging a round takes a thousand times as long as storing it: none may have all."""
        each_hour = self._limits.rounds_per_hour
        rounds = self._round_rates.get(host)
        if rounds is None:
            # An hour's worth at once, and one more every 60 / n minutes.
            rounds = self._round_rates[host] = Bucket(each_hour, 1)
        if not rounds.take(now_ms * each_hour // 60):
            raise ServerError(
                ServerCode.RATE_LIMITED,
                f"{host} sends more evidence than it may",
                hint="send again later; evidence is asked for twice a day",
                retry_after_s=3600 // each_hour,
            )

    def _arrival(
        self, known: KnownKey, verified: VerifiedToken, echo: Echo, now_ms: int
    ) -> Arrival:
        salt = self._entropy(SALT_BYTES)
        form, base, text, payload, inventory = _pack(known, verified)
        return Arrival(
            host=known.host_num,
            key=known.key_num,
            token=verified.identity,
            identity=b64url_decode(verified.identity),
            claims=verified.claims,
            freshness=echo.freshness,
            received_ms=now_ms,
            form=form,
            base=base,
            text=text,
            payload=payload,
            signature=verified.token.signature,
            salt=salt,
            leaf=_leaf(verified, echo.freshness, now_ms, salt),
            nonce=None,
            inventory=inventory,
            blobs=(),
        )

    def _conclude(
        self, step: tuple[KnownKey, VerifiedToken, Arrival], outcome: Outcome
    ) -> Stored | RefusedToken:
        known, verified, arrival = step
        if outcome is NEW:
            self._counts.stored += 1
            self._keys.stored(known.trust.key.kid, verified, arrival)
            return _stored(
                verified, arrival.freshness, arrival.received_ms, b64url_encode(arrival.leaf)
            )
        if isinstance(outcome, FirstAnswer):
            self._counts.repeated += 1
            return _stored(
                verified, outcome.freshness, outcome.received_ms, b64url_encode(outcome.leaf)
            )
        if outcome == SPENT:
            error = EvidenceError(
                Code.SPENT_NONCE,
                "another token has used this challenge",
                hint="ask for a challenge and sign again",
            )
            return self._refuse(verified.token, error, arrival.received_ms)
        return RefusedToken(
            code=ServerCode.NOT_STORED, detail=str(outcome), token=verified.identity
        )

    def _refuse(
        self, token: Token, error: EvidenceError | ServerError, now_ms: int
    ) -> RefusedToken:
        detail = error.detail[:_DETAIL_CHARACTERS]
        refused = self._counts.refused
        refused[error.code] = refused.get(error.code, 0) + 1
        known = self._keys.of_token(token) if error.code in PROVEN else None
        if known is not None:
            host = known.trust.host
            rate = self._refusal_rates.get(host)
            if rate is None:
                # An hour's worth at once, and one more every 60 / n minutes.
                rate = Bucket(self._limits.refusals_per_hour, 1)
                self._refusal_rates[host] = rate
            if rate.take(now_ms * self._limits.refusals_per_hour // 60):
                self._writer.note_refusal(
                    Refusal(
                        host=host,
                        kid=known.trust.key.kid,
                        token=b64url_decode(token.identity),
                        code=str(error.code),
                        detail=detail,
                        received_ms=now_ms,
                    )
                )
        return RefusedToken(code=str(error.code), detail=detail, token=token.identity)

    def _answer(
        self,
        body: Body,
        steps: Sequence[Step],
        results: Sequence[Stored | RefusedToken],
        now_ms: int,
    ) -> Answered:
        first = next((step for step in steps if type(step) is tuple), None)
        host = first[1].claims.host if first is not None else self._host_of(body.tokens[0])
        epoch = mint(
            self._nonce_keys[0],
            kind=Kind.EPOCH,
            host=host,
            time_s=now_ms // 1000,
            random=self._entropy(RANDOM_BYTES),
        )
        round_after_ms = now_ms - self._round_ms if self._round_ms else 0
        want = _want(steps, results, round_after_ms)
        answer = ReportAnswer(
            epoch=b64url_encode(epoch),
            results=tuple(results),
            want=want,
            want_by=None if want is None else now_ms // 1000 + self._window_s,
        )
        refused = results[0] if isinstance(results[0], RefusedToken) else None
        stored = any(type(result) is Stored for result in results)
        return Answered(answer=answer, code=None if stored or refused is None else refused.code)

    def _host_of(self, token: Token) -> str:
        known = self._keys.of_token(token)
        return _NOBODY if known is None else known.trust.host


_Packed = tuple[Form, int | None, bytes, bytes, CarriedInventory | None]
"""Form, position of the base, text, packed text, and an inventory carried for the first time."""


def _pack(known: KnownKey, verified: VerifiedToken) -> _Packed:
    claims, payload = verified.claims, verified.token.payload
    if isinstance(claims, FullReport):
        digest = b64url_decode(claims.inv)
        text = cut_inventory(payload, verified.statement)
        provider = claims.inventory.provider.kind
        body = pack_body(verified.statement)
        new = CarriedInventory(digest=digest, provider=provider, body=body)
        return _CUT, None, text, pack(text, None), new
    if isinstance(claims, SealedReport):
        text = cut_inventory(payload, verified.statement)
        return _CUT, None, text, pack(text, None), None
    base = known.base
    if base is None or base.inv != claims.inv or base.bootseed != claims.bootseed:
        return Form.WORDS, None, payload, pack(payload, None), None
    return Form.BASED, base.pos, payload, pack(payload, base), None


def _leaf(verified: VerifiedToken, freshness: Freshness, now_ms: int, salt: bytes) -> bytes:
    trust = verified.trust
    record = TokenAccepted(
        freshness=freshness.value,
        host=trust.host,
        kid=trust.key.kid,
        received=now_ms,
        signature=b64url_encode(hashlib.sha256(verified.token.signature).digest()),
        site=trust.site,
        token=verified.identity,
    )
    entry = make_entry(EntryType.TOKEN, encode_canonical(record), salt=salt, time_ms=now_ms)
    return entry_hash(entry)


def _named_blobs(
    verified: VerifiedToken, blobs: dict[bytes, bytes]
) -> tuple[tuple[bytes, bytes], ...]:
    named = (b64url_decode(reference.digest) for reference in verified.claims.evidence)
    return tuple((digest, blobs[digest]) for digest in named if digest in blobs)


def _pack_blobs(arrivals: Sequence[Arrival]) -> None:
    """Pack the statements of proven senders; compressing gives the interpreter's lock away."""
    for arrival in arrivals:
        arrival.blobs = tuple((digest, pack_body(blob)) for digest, blob in arrival.blobs)


def _stored(verified: VerifiedToken, freshness: Freshness, received_ms: int, leaf: str) -> Stored:
    return Stored(
        freshness=freshness.value, leaf=leaf, received=received_ms, token=verified.identity
    )


def _want(
    steps: Sequence[Step], results: Sequence[Stored | RefusedToken], round_after_ms: int
) -> Want | None:
    """Return what is missing most: an inventory that was never sent, else a round of evidence."""
    want: Want | None = None
    for step, result in zip(steps, results, strict=True):
        if type(step) is tuple and type(result) is Stored:
            known, verified, _arrival = step
            if verified.claims.inv not in known.inventories:
                return "full"
            if known.round_ms < round_after_ms:
                want = "evidence"
    return want
