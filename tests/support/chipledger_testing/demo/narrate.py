"""What the demo says while it works, and at its end."""

import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from chipledger_book.events import Event, SiteDeclared
from chipledger_book.parties import Party, Site

INDENT: Final = " " * 11
ORDER: Final = ("critical", "high", "medium", "low")
Round = Mapping[str, Any] | None
"""A host's newest round of evidence, as the API tells it; None where there is none."""


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def opening(interval_s: int, silence_s: int) -> None:
    """Say what is real here and what is not."""
    say("Chipledger demo. Agents, collector, signatures, log and balance are the real programs;")
    say("the GPUs are simulated, and every signed record says so (provider: mock); those that sign")
    say("do so under a test root, which the collector believes at test sites alone.")
    say(f"Timers are shortened: reports every {interval_s} s instead of 1 h, silence after")
    say(f"{silence_s} s instead of 3 h; and later some of the book's, by its own rules.\n")


def step(text: str) -> None:
    """Say what happens next."""
    say(f"· {text}")


_last: dict[str, str] = {}


def progress(done: int, total: int, what: str) -> None:
    """Show how far something is: one line that redraws on a terminal, one a change elsewhere."""
    line = f"  [{'#' * (20 * done // max(total, 1)):<20}] {done}/{total} {what}"
    if sys.stdout.isatty():
        sys.stdout.write("\r" + line + " " * 10 + ("\n" if done >= total else ""))
        sys.stdout.flush()
    elif _last.get(what) != line:
        say(line)
    _last[what] = line


def balances(text: str) -> None:
    """Print the balance of every site."""
    say("")
    say(text.rstrip())


def chips_signed(round_: Round) -> int:
    """Return how many chips signed for themselves in a round."""
    statements = round_["statements"] if round_ else ()
    return sum(one["worth"].startswith("chip-signed") for one in statements)


def signatures(rounds: Mapping[str, Round], declared: Sequence[tuple[str, str]]) -> None:
    """Say what stands behind each host's chips, and by code why chips did not sign.

    Args:
        rounds: the newest round of each host, by the name the demo calls it.
        declared: label and site of machines that are only declared.
    """
    say("\nWhat the chips signed themselves")
    mute: dict[str, list[str]] = {}
    for name, found in rounds.items():
        if found and (chips := chips_signed(found)):
            witnesses = sum(one["worth"] == "witness" for one in found["statements"])
            more = f"; {witnesses} switches of its board signed what they see" if witnesses else ""
            say(f"  {name:<12} {chips} chips signed over this collector's nonce (G3){more}")
        else:
            words = (
                (reason.removeprefix("the host: ") for reason in found["reasons"]) if found else ()
            )
            why = "; ".join(words) or "no answer yet"
            mute.setdefault(why, []).append(name)
    for label, site in declared:
        say(f"  {label:<12} declared at {site} by a document alone (G0)")
    say("  No signature, so the driver's word alone (G1), and why, by the host's own words:")
    for why, names in mute.items():
        say(f"  - {', '.join(names)}")
        say(textwrap.fill(why, 90, initial_indent=INDENT, subsequent_indent=INDENT))


def findings(rows: Sequence[dict[str, Any]], names: Mapping[str, str]) -> None:
    """Print the open findings in words, worst first; `names` tells what the demo calls a host."""
    say("\nOpen findings")
    for row in sorted(rows, key=lambda item: (ORDER.index(item["severity"]), item["type"])):
        where = (row["site"], names.get(row["host"] or "", row["host"]))
        place = " · ".join(text for text in where if text) or row["subject"]
        say(f"  {row['severity']:<9}{row['type']:<20}{place}")
        words = row["words"]
        for host, name in names.items():
            words = words.replace(host, name)
        say(textwrap.fill(words, 90, initial_indent=INDENT, subsequent_indent=INDENT))


def delivered(rows: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> None:
    """Print the ledger of the delivery: when, what, and whose word it stands on."""
    say("\nThe ledger of the delivery, and whose word each event stands on")
    for row in rows:
        words = row["words"]
        for host, name in names.items():
            words = words.replace(host, name)
        say(textwrap.fill(f"{_day(row['occurred_ms'])}  {words}", 96, **_UNDER_DAY))
        for one in row["record"]["statements"]:
            party = one.get("party") or one["principal"]
            say(f"              {one['role']} {party}: {_STRENGTHS[one['strength']]}")


_UNDER_DAY: Final[Any] = {"initial_indent": "  ", "subsequent_indent": " " * 14}
_STRENGTHS: Final = {
    "party-key": "signed with the party's own key",
    "session": "entered in a session, not signed",
    "attested": "recorded by the collector from attestation",
}


def cases(rows: Sequence[tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]]) -> None:
    """Print, step by step, what people said of findings and what became of them."""
    say("\nWhat was said of two of them")
    for finding, steps in rows:
        say(f"  {finding['type']} at {finding['site']}: now {finding['state']}")
        for step in steps:
            if step["role"] == "collector":
                continue
            proposed = "proposes to " if step["proposed"] else ""
            paper = ", with a paper" if step["evidence"] else ""
            until = f", until {_day(step['expires_ms'])}" if step["expires_ms"] else ""
            text = f": {step['reason']}" if step["reason"] else ""
            line = f"- {step['by']} ({step['role']}) {proposed}{step['action']}{paper}{until}{text}"
            say(textwrap.fill(line, 98, initial_indent="    ", subsequent_indent=" " * 6))


def late(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print who is late with what, the longest first; of one kind at one site once."""
    say("\nWho is late")
    grouped: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        what, _, about = row["words"].partition(": ")
        who = row["owner"] or f"the {row['owner_role']}"
        grouped.setdefault((who, row["site"] or "-", what, about and "s"), []).append(row["due_ms"])
    for (who, site, what, plural), dues in grouped.items():
        many = f"{what}{plural} ({len(dues)})" if len(dues) > 1 else what
        say(f"  {who:<18}{site:<8}{many:<50}due {_minute(min(dues))}")


def written(report: Path) -> None:
    """Say where the report is."""
    say(f"\nReport 'current inventory' of the closed month, to print: {report}")


def closing(
    url: str,
    people: Sequence[tuple[str, str, str]],
    places: Mapping[str, str],
    planted: Sequence[str],
) -> None:
    """Say where to look as whom, and what was planted.

    Args:
        url: address of the collector.
        people: of each person what it is, the address that opens its screens, and its token.
        places: what there is to see, by path.
        planted: what an auditor should have found.
    """
    say("\nPlanted for an auditor to find:")
    for text in planted:
        say(textwrap.fill(text, 98, initial_indent="  - ", subsequent_indent="    "))
    say("\nScreens, as each of them sees them; the token is for the API, and to sign in")
    for what, link, token in people:
        say(f"  {what:<20}{link}")
        say(f"  {'':<20}{token}")
    say("\nLook at")
    for path, what in places.items():
        say(f"  {url + path:<52}{what}")
    say(f"  {url + '/api/v1/':<52}the same for programs")
    say(time.strftime("\nPrinted  %Y-%m-%d %H:%M:%S UTC\n", time.gmtime()))


def _day(ms: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(ms // 1000))


def _minute(ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(ms // 1000))


def real_site(site: str) -> Event:
    """Return the event that declares this very machine as a site."""
    owner = Party(id="this-operator", name="The operator of this machine", headquarters="MY")
    return SiteDeclared(
        occurred_at_ms=int(time.time() * 1000),
        site=Site(
            id=site,
            name="This machine",
            country="MY",
            operator=owner,
            consignee=owner,
            ultimate_parent=owner,
        ),
    )
