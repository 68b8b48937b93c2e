"""What the demo says while it works, and at its end."""

import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from chipledger_book.events import Event, SiteDeclared
from chipledger_book.parties import Party, Site

INDENT: Final = " " * 11
ORDER: Final = ("critical", "high", "medium", "low")


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def opening(interval_s: int, silence_s: int) -> None:
    """Say what is real here and what is not."""
    say("Chipledger demo. Agents, collector, signatures, log and balance are the real programs;")
    say("the GPUs are simulated, and every signed record says so (provider: mock).")
    say(f"Timers are shortened: reports every {interval_s} s instead of 1 h, silence after")
    say(f"{silence_s} s instead of 3 h.\n")


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


def findings(rows: Sequence[dict[str, Any]], names: Mapping[str, str]) -> None:
    """Print the open findings in words, worst first; `names` tells what the demo calls a host."""
    say("\nOpen findings")
    for row in sorted(rows, key=lambda item: (ORDER.index(item["severity"]), item["type"])):
        where = (row["site"], names.get(row["host"] or "", row["host"]))
        place = " · ".join(text for text in where if text)
        say(f"  {row['severity']:<9}{row['type']:<20}{place}")
        words = row["words"]
        for host, name in names.items():
            words = words.replace(host, name)
        say(textwrap.fill(words, 90, initial_indent=INDENT, subsequent_indent=INDENT))


def closing(url: str, link: str, token: str, planted: Sequence[str]) -> None:
    """Say where to look, and what was planted."""
    say("\nPlanted for an auditor to find:")
    for text in planted:
        say(f"  - {text}")
    say(f"\nScreens  {url}{link}")
    say(f"Token    {token}   (an auditor's, for the API and to sign in)")
    say(f"API      {url}/api/v1/")
    say(time.strftime("Printed  %Y-%m-%d %H:%M:%S UTC\n", time.gmtime()))


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
