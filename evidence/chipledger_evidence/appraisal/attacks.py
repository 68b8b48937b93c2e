"""What can be expected of Chipledger: attacks, available evidence, and what is then found.

The table is data, so that a report can print it and tests can be held to it in both ways: what
it says is found must be found within its time, and what it says is not must open nothing.
"""

from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Annotated, Final

import msgspec

from chipledger_evidence.codec import Wire
from chipledger_evidence.ids import whole

_FILE: Final = files("chipledger_evidence.appraisal") / "data" / "attacks.json"

Name = Annotated[str, whole("[a-z][a-z0-9-]{0,63}")]
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


class Setup(StrEnum):
    """Which evidence a site offers."""

    SOFTWARE = "software"
    TPM = "tpm"
    GPU = "gpu"
    SWITCH = "switch"
    BMC = "bmc"


class Result(StrEnum):
    """What becomes of an attack."""

    FINDING = "finding"  # a finding of the named type opens
    REFUSED = "refused"  # a door refuses it with the named code, and no finding opens
    BALANCE = "balance"  # the named column of the site's balance shows it
    GRADE = "grade"  # no finding, but what is claimed never rises above the named grade
    PREVENTED = "prevented"  # it cannot be done as long as the hardware holds
    NOT_FOUND = "not-found"  # it succeeds, and nothing shows it
    NOT_APPLICABLE = "not-applicable"  # there is nothing of this kind to attack


_NAMED: Final = frozenset({Result.FINDING, Result.REFUSED, Result.BALANCE, Result.GRADE})


class Outcome(Wire, frozen=True, kw_only=True, rename={"setups": "with"}):
    """What becomes of an attack where certain evidence is available.

    Attributes:
        setups: the evidence for which this is so.
        result: what becomes of it.
        name: type of the finding, code, column or grade, where `result` has one.
        code: the stable code that the finding tells, where it tells one.
        within_s: seconds after the attack's first act that the collector can see, under the
            shipped policy, within which the finding is open; only with a finding.
    """

    setups: Annotated[tuple[Setup, ...], msgspec.Meta(min_length=1)]
    result: Result
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    code: Name | None = None
    within_s: Annotated[int, msgspec.Meta(ge=1)] | None = None


class Attack(Wire, frozen=True, kw_only=True):
    """One way to deceive.

    Attributes:
        id: stable name.
        mission: rows of the project's threat model that it is an instance of.
        attack: what is done.
        outcomes: what becomes of it, for every setup once.
        control: what stands against it.
        innocent: honest reasons for the same finding.
        remains: what is still possible.
    """

    id: Name
    mission: tuple[Annotated[int, msgspec.Meta(ge=1, le=23)], ...]
    attack: Words
    outcomes: Annotated[tuple[Outcome, ...], msgspec.Meta(min_length=1)]
    control: Words
    innocent: tuple[Words, ...]
    remains: Words

    def outcome(self, setup: Setup) -> Outcome:
        """Return what becomes of this attack where `setup` is available."""
        return next(outcome for outcome in self.outcomes if setup in outcome.setups)


class Expectations(Wire, frozen=True, kw_only=True):
    """The whole table.

    Attributes:
        id: name of the table.
        version: the day of its content.
        setups: each setup in words.
        attacks: the rows.
    """

    id: Name
    version: Annotated[str, whole("[0-9]{4}-[0-9]{2}-[0-9]{2}")]
    setups: dict[Setup, Words]
    attacks: tuple[Attack, ...]


def parse_expectations(data: bytes) -> Expectations:
    """Return the table in `data` (JSON, any layout).

    Raises:
        ValueError: it is not of the format, a row speaks of a setup twice or not at all, or a
            finding comes without its time or without an innocent explanation.
    """
    table = msgspec.json.decode(data, type=Expectations, strict=True)
    if set(table.setups) != set(Setup):
        raise ValueError("every setup needs its words")
    if len({attack.id for attack in table.attacks}) != len(table.attacks):
        raise ValueError("two attacks have one name")
    for attack in table.attacks:
        _check(attack)
    return table


def _check(attack: Attack) -> None:
    named = [setup for outcome in attack.outcomes for setup in outcome.setups]
    if sorted(named) != sorted(Setup):
        raise ValueError(f"{attack.id}: every setup once, not {named}")
    for outcome in attack.outcomes:
        finding = outcome.result is Result.FINDING
        if (outcome.name is not None) != (outcome.result in _NAMED):
            raise ValueError(f"{attack.id}: {outcome.result} with name {outcome.name}")
        if (outcome.within_s is not None) != finding:
            raise ValueError(f"{attack.id}: a time belongs to a finding, and to nothing else")
        if outcome.code is not None and not finding:
            raise ValueError(f"{attack.id}: a code is what a finding tells")
        if finding and not attack.innocent:
            raise ValueError(f"{attack.id}: no innocent explanation")


@cache
def expectations() -> Expectations:
    """Return the shipped table."""
    return parse_expectations(_FILE.read_bytes())
