"""Renders docs/THREATS.md from the tables of attacks and of diversions.

`python -m chipledger_testing.threats_page FILE` rewrites it; a test holds it to the data, and
tests/integration/attacks and tests/integration/year hold the data to the product.
"""

import sys
from pathlib import Path

from chipledger_book.watch.diversions import diversions
from chipledger_evidence.appraisal.attacks import (
    Attack,
    Outcome,
    Result,
    Setup,
    expectations,
)
from chipledger_evidence.appraisal.policy import shipped_policy
from chipledger_testing.diversions_page import diversion_rows, papers_rows

_TEXT = Path(__file__).with_name("threats.md")
_HOUR_S = 3600
_MINUTE_S = 60


def render() -> str:
    """Return the page."""
    table, policy = expectations(), shipped_policy()
    return _TEXT.read_text(encoding="utf-8").format(
        version=table.version,
        lifetime=policy.evidence_lifetime_s // _HOUR_S,
        tiers="\n".join(
            f"| `{tier}` | {meaning.words} |" for tier, meaning in policy.key_tiers.items()
        ),
        setups="\n".join(f"| `{setup}` | {table.setups[setup]} |" for setup in Setup),
        attacks="\n".join(map(_row, table.attacks)),
        papers=papers_rows(diversions()),
        diversions=diversion_rows(diversions()),
    )


def _row(attack: Attack) -> str:
    outcomes = "; ".join(map(_outcome, attack.outcomes))
    cells = (
        f"`{attack.id}`",
        attack.attack,
        outcomes,
        attack.control,
        "; ".join(attack.innocent),
        attack.remains,
    )
    return f"| {' | '.join(cells)} |"


def _outcome(outcome: Outcome) -> str:
    where = "" if len(outcome.setups) == len(Setup) else f"{_names(outcome)}: "
    return f"{where}{_words(outcome)}"


def _names(outcome: Outcome) -> str:
    return ", ".join(f"`{setup}`" for setup in outcome.setups)


def _words(outcome: Outcome) -> str:
    if outcome.result is Result.FINDING:
        code = f" ({outcome.code})" if outcome.code else ""
        return f"finding `{outcome.name}`{code} within {_time(outcome.within_s or 0)}"
    return {
        Result.REFUSED: f"refused, `{outcome.name}`",
        Result.BALANCE: f"balance, {outcome.name}",
        Result.GRADE: f"no better than {outcome.name}",
        Result.PREVENTED: "cannot be done while the hardware holds",
        Result.NOT_FOUND: "**not found**",
        Result.NOT_APPLICABLE: "nothing to attack",
    }[outcome.result]


def _time(seconds: int) -> str:
    hours, rest = divmod(seconds, _HOUR_S)
    minutes = f" {rest // _MINUTE_S} min" if rest else ""
    return f"{hours} h{minutes}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(), encoding="utf-8")
