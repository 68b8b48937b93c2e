"""Which scenario tries which attack."""

from collections.abc import Callable
from dataclasses import dataclass, field

from chipledger_testing.attacks.field import Field

Act = Callable[[Field], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One attack, staged.

    Attributes:
        act: makes it, and lets as much time pass as it needs to be found or not to be.
        beside: types of findings that the same act rightly opens as well.
    """

    act: Act
    beside: frozenset[str] = field(default_factory=frozenset)


SCENARIOS: dict[str, Scenario] = {}
"""Every scenario, by the id of its attack."""


def scenario(attack: str, *, beside: tuple[str, ...] = ()) -> Callable[[Act], Act]:
    """Return a decorator that makes a function the scenario of an attack."""

    def register(act: Act) -> Act:
        if attack in SCENARIOS:
            raise AssertionError(f"{attack} has two scenarios")
        SCENARIOS[attack] = Scenario(act=act, beside=frozenset(beside))
        return act

    return register
