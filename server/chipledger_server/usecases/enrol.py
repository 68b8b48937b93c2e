"""The enrolments' doors: a code, or the key before, admits a key; always the same key again.

A software key is admitted at once. A key in a TPM takes two steps: the first answer is a
challenge that only that TPM can open, and nothing of a host is kept before it did.
"""

from base64 import b32encode
from collections.abc import Sequence
from typing import Final

from chipledger_evidence.activation import (
    ACTIVATION_TYP,
    Activation,
    ActivationChallenge,
    check_activation,
    transcript,
)
from chipledger_evidence.codec import b64url_decode, b64url_encode
from chipledger_evidence.compact import read_statement
from chipledger_evidence.enrolment import Enrolment, KeyTier
from chipledger_evidence.entry import SALT_BYTES
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.keys import PublicKey
from chipledger_evidence.nonce import RANDOM_BYTES, Kind, mint
from chipledger_evidence.tpm.credential import SECRET_BYTES, make_credential
from chipledger_evidence.tpm.endorsement import EkRoot
from chipledger_evidence.tpm.offer import OfferedKeys
from chipledger_server.config import Policy
from chipledger_server.domain.codes import Code, ServerError
from chipledger_server.ports import Clock, Entropy
from chipledger_server.usecases.admitting import (
    conflict,
    judge,
    require_code,
    require_present_key,
    require_timely,
    tier_of,
    unknown_code,
)
from chipledger_server.usecases.keyring import (
    Attempt,
    Enrolled,
    EnrolmentBook,
    EnrolmentStore,
    HostEnrolled,
    KeyAdded,
    TpmEnrolled,
)
from chipledger_server.usecases.wishes import ByCode, ByKey, Wish, by_code, by_key, open_wish

_HOST_BYTES: Final = 16
_SESSION_BYTES: Final = 32

Answered = Enrolment | ActivationChallenge


class Enrolments:
    """The enrolments' doors, without their HTTP. Blocks: called from a worker thread."""

    def __init__(
        self,
        *,
        store: EnrolmentStore,
        clock: Clock,
        entropy: Entropy,
        nonce_keys: Sequence[bytes],
        policy: Policy,
        collector: str,
        roots: Sequence[EkRoot] = (),
    ) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._nonce_key = nonce_keys[0]
        self._policy = policy
        self._collector = collector
        self._roots = roots

    def enrol(self, body: bytes) -> Answered:
        """Return the host's enrolment, or what its TPM must open first.

        The same again for the same code and key.

        Raises:
            EvidenceError: the request does not prove possession of its key, or offers a TPM that
                cannot be what it should.
            ServerError: `enrolment-code-unknown`, `-expired`, `-used-up`, `-wrong-serials`,
                `key-already-enrolled`, `host-retired`, `overloaded`.
        """
        wish = by_code(body)
        if not isinstance(wish.by, ByCode):
            raise TypeError("an enrolment request has a code")
        code_hash = wish.by.code_hash
        # A code once made is never taken away, so who has none is refused before the write lock:
        # strangers, however many, do not keep reports from being stored.
        if not self._store.is_made(code_hash):
            raise unknown_code()
        return self._take(wish, code_hash)

    def rotate(self, body: bytes) -> Answered:
        """Return the enrolment with the new key, or what its TPM must open first.

        Raises:
            EvidenceError: `unknown-key`, `revoked-key`, a signature or TPM that is not good.
            ServerError: `rotation-expired`, `key-already-enrolled`, `host-retired`, `overloaded`.
        """
        wish = by_key(body, self._store)
        if not isinstance(wish.by, ByKey):
            raise TypeError("a rotation is let in by a key")
        ttl_s = self._policy.rotation_ttl_s
        require_timely(wish.by, now_ms=self._clock.now_ms(), ttl_s=ttl_s)
        return self._take(wish, None)

    def activate(self, body: bytes) -> Enrolment:
        """Return the enrolment of a key whose TPM opened its challenge.

        The same again for the same attempt; an attempt that failed is over.

        Raises:
            EvidenceError: `tpm-statement-mismatch`, a statement that is not good.
            ServerError: `activation-unknown`, `activation-expired`, `ek-of-another-host`,
                `another-ek`, and as :meth:`enrol`.
        """
        statement = read_statement(body, Activation, typ=ACTIVATION_TYP)
        session = b64url_decode(statement.said.session)
        with self._store.changing() as book:
            attempt = _kept(book, session)
            wish = open_wish(attempt.request, self._store)
            activation = statement.by(wish.key)
            known = book.enrolled(wish.key.kid)
            if known is not None:
                return self._again(known, wish.key, known.code_hash)
            self._require_open(attempt)
            book.spend(session)
            failure = self._failure(activation, attempt, wish, book)
            if failure is None:
                return self._admit(wish, book)
        raise failure  # outside: the attempt stays spent, and a conflict written

    def _take(self, wish: Wish, code_hash: bytes | None) -> Answered:
        judge(wish, roots=self._roots, now_ms=self._clock.now_ms())
        with self._store.changing() as book:
            known = book.enrolled(wish.key.kid)
            if known is None:
                self._require_permission(wish, book)
                if wish.tpm is None:
                    return self._admit(wish, book)
                return _challenge(self._attempt(wish, wish.tpm, book))
        if isinstance(wish.by, ByKey) and known.host != wish.by.said.host:
            raise _taken(wish.key)
        return self._again(known, wish.key, code_hash or known.code_hash)

    def _require_permission(self, wish: Wish, book: EnrolmentBook) -> None:
        if isinstance(wish.by, ByCode):
            require_code(wish.by, book, self._clock.now_ms())
        else:
            require_present_key(wish.by, book)

    # The challenge to a TPM

    def _attempt(self, wish: Wish, tpm: OfferedKeys, book: EnrolmentBook) -> Attempt:
        """Return the attempt of these very bytes while it is open, else begin a new one."""
        now_ms = self._clock.now_ms()
        former = book.attempt_of(wish.key.kid)
        if (
            former is not None
            and former.request == wish.request
            and not former.spent
            and now_ms < former.expires_ms
        ):
            return former
        secret = self._entropy(SECRET_BYTES)
        made = make_credential(secret, key=tpm.ek, name=tpm.ak.name, entropy=self._entropy)
        attempt = Attempt(
            session=self._entropy(_SESSION_BYTES),
            kid=wish.key.kid,
            request=wish.request,
            secret=secret,
            blob=made.blob,
            seed=made.seed,
            expires_ms=now_ms + self._policy.activation_ttl_s * 1000,
        )
        if not book.begin(attempt, now_ms):
            raise ServerError(
                Code.OVERLOADED, "too many enrolments are waiting for their TPM", retry_after_s=60
            )
        return attempt

    def _require_open(self, attempt: Attempt) -> None:
        if attempt.spent or self._clock.now_ms() >= attempt.expires_ms:
            raise ServerError(
                Code.ACTIVATION_EXPIRED,
                "this activation was answered before, or its time is over",
                hint="enrol again with the same code: a new challenge is given",
            )

    def _failure(
        self, activation: Activation, attempt: Attempt, wish: Wish, book: EnrolmentBook
    ) -> EvidenceError | ServerError | None:
        """Return why the key may not be admitted, and write down what is a finding."""
        if wish.tpm is None:
            raise TypeError("an attempt is of a TPM")
        said = transcript(attempt.request, _challenge(attempt))
        try:
            check_activation(activation, keys=wish.tpm, secret=attempt.secret, said=said)
        except EvidenceError as error:
            return error
        found = conflict(wish, book, self._clock.now_ms())
        if found is None:
            return None
        book.conflict(found[0], self._entropy(SALT_BYTES))
        return found[1]

    # Admitting

    def _admit(self, wish: Wish, book: EnrolmentBook) -> Enrolment:
        """Keep the key; the write lock is held, and everything else was proven."""
        now_ms = self._clock.now_ms()
        tpm = judge(wish, roots=self._roots, now_ms=now_ms)
        if isinstance(wish.by, ByKey):
            enrolled = self._admit_next(wish, wish.by, tpm, book)
        else:
            enrolled = self._admit_by_code(wish, wish.by, tpm, book)
        return self._answer(enrolled, wish.key)

    def _admit_by_code(
        self, wish: Wish, by: ByCode, tpm: TpmEnrolled | None, book: EnrolmentBook
    ) -> Enrolled:
        now_ms = self._clock.now_ms()
        code = require_code(by, book, now_ms)
        if code.host is not None:
            record = KeyAdded(
                at=now_ms,
                cause="replacement",
                code=b64url_encode(by.code_hash),
                host=code.host,
                jwk=wish.key.jwk,
                kid=wish.key.kid,
                revoked=book.host(code.host).keys,
                tier=tier_of(tpm),
                tpm=tpm,
            )
            return self._add(record, by.code_hash, book)
        new = HostEnrolled(
            at=now_ms,
            code=b64url_encode(by.code_hash),
            hardware=by.said.hardware,
            host="h-" + b32encode(self._entropy(_HOST_BYTES)).decode("ascii").lower().rstrip("="),
            jwk=wish.key.jwk,
            kid=wish.key.kid,
            provider=by.said.provider,
            serials=by.said.serials,
            site=code.site,
            tier=tier_of(tpm),
            tpm=tpm,
            ueid=by.said.ueid,
        )
        leaf = book.enrol(new, by.code_hash, self._entropy(SALT_BYTES))
        return _as_kept(new, new.site, by.code_hash, leaf)

    def _admit_next(
        self, wish: Wish, by: ByKey, tpm: TpmEnrolled | None, book: EnrolmentBook
    ) -> Enrolled:
        old = require_present_key(by, book)
        record = KeyAdded(
            at=self._clock.now_ms(),
            cause="rotation",
            host=old.host,
            jwk=wish.key.jwk,
            kid=wish.key.kid,
            revoked=(by.said.previous,),
            tier=tier_of(tpm),
            tpm=tpm,
        )
        return self._add(record, old.code_hash, book)

    def _add(self, record: KeyAdded, code_hash: bytes, book: EnrolmentBook) -> Enrolled:
        leaf = book.add_key(record, code_hash, self._entropy(SALT_BYTES))
        return _as_kept(record, book.host(record.host).site, code_hash, leaf)

    # Answers

    def _again(self, known: Enrolled, key: PublicKey, code_hash: bytes) -> Enrolment:
        if known.code_hash != code_hash or known.revoked:
            raise _taken(key)
        return self._answer(known, key)

    def _answer(self, enrolled: Enrolled, key: PublicKey) -> Enrolment:
        # One epoch value for half a window, so that a repeated answer is the same to the byte.
        half_s = max(1, self._policy.epoch_limit_s // 2)
        first_s, now_s = enrolled.enrolled_ms // 1000, self._clock.now_ms() // 1000
        epoch = mint(
            self._nonce_key,
            kind=Kind.EPOCH,
            host=enrolled.host,
            time_s=first_s + max(0, now_s - first_s) // half_s * half_s,
            random=enrolled.leaf[:RANDOM_BYTES],
        )
        return Enrolment(
            collector=self._collector,
            epoch=b64url_encode(epoch),
            full_interval_s=self._policy.full_interval_s,
            host=enrolled.host,
            interval_s=self._policy.interval_s,
            kid=key.kid,
            leaf=b64url_encode(enrolled.leaf),
            site=enrolled.site,
            tier=KeyTier(enrolled.tier),
        )


def _taken(key: PublicKey) -> ServerError:
    return ServerError(
        Code.KEY_ALREADY_ENROLLED,
        f"key {key.kid} was enrolled with another code, or is revoked",
        hint="make a new key, or repeat the enrolment with the code it was made with",
    )


def _kept(book: EnrolmentBook, session: bytes) -> Attempt:
    attempt = book.attempt(session)
    if attempt is None:
        raise ServerError(
            Code.ACTIVATION_UNKNOWN,
            "no such activation is waiting here",
            hint="enrol again with the same code: a new challenge is given",
        )
    return attempt


def _challenge(attempt: Attempt) -> ActivationChallenge:
    return ActivationChallenge(
        blob=b64url_encode(attempt.blob),
        expires=attempt.expires_ms // 1000,
        seed=b64url_encode(attempt.seed),
        session=b64url_encode(attempt.session),
    )


def _as_kept(record: HostEnrolled | KeyAdded, site: str, code_hash: bytes, leaf: bytes) -> Enrolled:
    return Enrolled(
        host=record.host,
        site=site,
        tier=record.tier,
        code_hash=code_hash,
        enrolled_ms=record.at,
        leaf=leaf,
        revoked=False,
        jwk=b"",
    )
