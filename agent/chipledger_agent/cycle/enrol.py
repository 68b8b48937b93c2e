"""Enrolment and rotation: ask the collector to take a key, and open what it asks of a TPM."""

from dataclasses import dataclass

from chipledger_agent.domain.claims import Scan
from chipledger_agent.domain.failures import AgentCode, CollectorUnavailable
from chipledger_agent.ports import Clock, Collector, TpmKey
from chipledger_evidence.activation import (
    ACTIVATION_TYP,
    Activation,
    ActivationChallenge,
    prove,
    transcript,
)
from chipledger_evidence.codec import b64url_decode, b64url_encode
from chipledger_evidence.compact import sign_statement
from chipledger_evidence.enrolment import Enrolment, EnrolmentRequest, KeyTier, sign_enrolment
from chipledger_evidence.keys import Signer
from chipledger_evidence.rotation import KeyRequest, sign_rotation


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicant:
    """Who asks: the key, what holds it, and the host's permanent name.

    Attributes:
        signer: the key to be enrolled.
        tier: what holds it.
        ueid: the host's permanent name.
        tpm: the TPM that holds the key, where one does.
    """

    signer: Signer
    tier: KeyTier
    ueid: str
    tpm: TpmKey | None = None


def enrol(
    code: str, applicant: Applicant, *, scan: Scan, collector: Collector, clock: Clock
) -> Enrolment:
    """Return the collector's answer; asking again with the same code and key gives it again.

    Args:
        code: the enrolment code, a secret.
        applicant: who asks.
        scan: what this host sees of itself, for codes tied to board serials.
        collector: whom to ask.
        clock: the host's clock.

    Raises:
        CollectorUnavailable: nothing is known to have happened; ask again.
        CollectorRefused: the code does not admit this host.
        AgentError: `tpm-…`.
    """
    inventory = scan.inventory
    request = EnrolmentRequest(
        code=code,
        iat=clock.now_s(),
        jwk=applicant.signer.public.jwk,
        provider=inventory.provider.kind,
        tier=applicant.tier,
        tpm=None if applicant.tpm is None else applicant.tpm.offer(),
        ueid=applicant.ueid,
        serials=tuple(sorted({chip.serial for chip in inventory.chips if chip.serial})),
        hardware=inventory.hardware,
    )
    body = sign_enrolment(request, applicant.signer)
    return _follow(body, collector.enrol(body), applicant, collector)


def rotate(
    present: Enrolment, old: Signer, applicant: Applicant, *, collector: Collector, clock: Clock
) -> Enrolment:
    """Return the enrolment with the next key, which the present one lets in; safe to repeat.

    Raises:
        CollectorUnavailable: nothing is known to have happened; ask again.
        CollectorRefused: the present key lets nobody in.
        AgentError: `tpm-…`.
    """
    request = KeyRequest(
        host=present.host,
        iat=clock.now_s(),
        jwk=applicant.signer.public.jwk,
        previous=old.public.kid,
        tier=applicant.tier,
        tpm=None if applicant.tpm is None else applicant.tpm.offer(),
    )
    body = sign_rotation(request, new=applicant.signer, old=old)
    return _follow(body, collector.rotate(body), applicant, collector)


def _follow(
    body: bytes,
    answer: Enrolment | ActivationChallenge,
    applicant: Applicant,
    collector: Collector,
) -> Enrolment:
    if isinstance(answer, Enrolment):
        return answer
    if applicant.tpm is None:
        raise CollectorUnavailable(
            AgentCode.COLLECTOR_CONFUSED, "a challenge to a TPM that was not offered"
        )
    said = transcript(body, answer)
    secret = applicant.tpm.activate(b64url_decode(answer.blob), b64url_decode(answer.seed))
    attest, signature = applicant.tpm.certify(said)
    activation = Activation(
        attest=b64url_encode(attest),
        proof=b64url_encode(prove(secret, said)),
        session=answer.session,
        signature=b64url_encode(signature),
    )
    return collector.activate(sign_statement(activation, applicant.signer, typ=ACTIVATION_TYP))
