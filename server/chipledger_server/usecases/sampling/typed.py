"""A sample as people type it, on a form or a command line. Pure."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from chipledger_book.counts.sampling import Hole, Split
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.sampling.planning import ANSWER_WITHIN_MS, Asked
from chipledger_server.usecases.times import span_ms

STRATA: Final[Mapping[str, tuple[Split, ...]]] = {
    "sku,grade": ("sku", "grade"),
    "sku": ("sku",),
    "grade": ("grade",),
    "none": (),
}
"""What strata are told apart by, as it is written."""


def ppm_in(text: str) -> int:
    """Return per cent, ``95%`` or ``0.5``, as millionths; more digits are refused, not rounded.

    Raises:
        Refusal: `invalid-parameter`.
    """
    try:
        ppm = Decimal(text.strip().removesuffix("%").strip()) * 10_000
        whole = int(ppm)
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise _wrong(f"{text[:40]!r} is no percentage", "write 95% or 0.5%") from error
    if ppm != whole:
        raise _wrong(f"{text[:40]!r} has more than four digits after the point", "write fewer")
    return whole


def hole_in(text: str) -> Hole:
    """Return a hole: ``50`` chips, ``1%`` of them, or ``tpp:100000``.

    Raises:
        Refusal: `invalid-parameter`.
    """
    said = text.strip()
    try:
        if said.endswith("%"):
            return msgspec.convert({"by": "share", "amount": ppm_in(said)}, Hole)
        by, _, amount = said.rpartition(":")
        return msgspec.convert({"by": by or "chips", "amount": int(amount)}, Hole)
    except (ValueError, msgspec.ValidationError) as error:
        raise _wrong(f"{text[:40]!r} is no hole", "write 50, 1% or tpp:100000") from error


def asked_in(site: str, said: Mapping[str, str], when: When) -> Asked:
    """Return what a form or a command asks of a sample; what is empty has its default.

    Raises:
        Refusal: `invalid-parameter`.
    """
    strata = said.get("strata") or "sku,grade"
    if strata not in STRATA:
        raise _wrong(f"{strata[:40]!r} are no strata", f"one of {', '.join(STRATA)}")
    within = said.get("within", "").strip()
    return Asked(
        site=site,
        hole=hole_in(said.get("hole", "")),
        confidence_ppm=ppm_in(said.get("confidence") or "95%"),
        when=when,
        split=STRATA[strata],
        scope="each-stratum" if said.get("scope") == "each-stratum" else "population",
        commitment=said.get("commitment", "").strip() or None,
        answer_within_ms=span_ms(within) if within else ANSWER_WITHIN_MS,
    )


def _wrong(detail: str, hint: str) -> Refusal:
    return Refusal(Code.INVALID_PARAMETER, detail, hint=hint)
