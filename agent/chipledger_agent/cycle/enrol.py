"""Enrolment: ask the collector to take this host's key, with the site's code."""

from dataclasses import dataclass

from chipledger_agent.domain.claims import Scan
from chipledger_agent.ports import Clock, Collector
from chipledger_evidence.enrolment import Enrolment, EnrolmentRequest, KeyTier, sign_enrolment
from chipledger_evidence.keys import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicant:
    """Who asks: the key, what holds it, and the host's permanent name."""

    signer: Signer
    tier: KeyTier
    ueid: str


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
    """
    inventory = scan.inventory
    request = EnrolmentRequest(
        code=code,
        iat=clock.now_s(),
        jwk=applicant.signer.public.jwk,
        provider=inventory.provider.kind,
        tier=applicant.tier,
        ueid=applicant.ueid,
        serials=tuple(sorted({chip.serial for chip in inventory.chips if chip.serial})),
        hardware=inventory.hardware,
    )
    return collector.enrol(sign_enrolment(request, applicant.signer))
