"""Who uses the demo's collector: each person with a role, a token, and a link to the screens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from chipledger_testing.demo.delivery import SITE
from chipledger_testing.stage import Stage

_LINK_HOURS: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One principal.

    Attributes:
        name: as the log names it.
        what: role, and where it may look, in words.
        token: what it signs in with.
        file: where the token is, for commands that act as it.
    """

    name: str
    what: str
    token: str
    file: Path

    def link(self, stage: Stage) -> str:
        """Return an address that opens the screens as this person."""
        made = stage.server("principal", "link", self.name, "--expires-in", f"{_LINK_HOURS}h")
        return stage.url + made.split()[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Everybody there is.

    Attributes:
        administrator: who set the collector up.
        auditor: who reads everything and decides.
        second: who confirms what the auditor decides.
        operator: who answers for the site of the delivery.
    """

    administrator: Person
    auditor: Person
    second: Person
    operator: Person

    @classmethod
    def hired(cls, stage: Stage) -> Self:
        """Give everybody but the administrator a principal; he has his since the beginning."""
        file = stage.folder / "administrator.token"
        name = stage.get("/api/v1/me", token := file.read_text().strip())["name"]
        return cls(
            administrator=Person(name=name, what="administrator", token=token, file=file),
            auditor=_hire(stage, "demo-auditor", "auditor"),
            second=_hire(stage, "demo-auditor-2", "auditor"),
            operator=_hire(stage, "jakarta-operator", "operator", SITE),
        )

    @property
    def all(self) -> tuple[Person, ...]:
        """Everybody, in the order in which their screens are named."""
        return (self.auditor, self.second, self.operator, self.administrator)


def _hire(stage: Stage, name: str, role: str, *sites: str) -> Person:
    scope = [word for site in sites for word in ("--site", site)]
    token = stage.server("principal", "add", name, "--role", role, *scope).split()[-1]
    file = stage.write(f"{name}.token", token + "\n")
    what = f"{role} of {', '.join(sites)}" if sites else name.removeprefix("demo-")
    return Person(name=name, what=what, token=token, file=file)
