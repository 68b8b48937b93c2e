"""`python -m chipledger_testing.demo [--once] [--folder DIR] [--port N]`."""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chipledger_book.events import encode_event
from chipledger_testing.demo import narrate
from chipledger_testing.demo.acts import Acts
from chipledger_testing.demo.people import People
from chipledger_testing.demo.story import PLANTED_FINDINGS, Host, Story, tell
from chipledger_testing.stage import INTERVAL_S, SILENCE_S, Stage, StageError

DRIVER = Path("/proc/driver/nvidia/version")
REAL = "this-machine"
WATCH_S = 4


def main() -> int:
    """Run the demo and return its exit status."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end by itself after the tables")
    parser.add_argument("--folder", type=Path, help="keep files here instead of a temporary folder")
    parser.add_argument("--port", type=int, default=0, help="port of the collector")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="chipledger-demo-"))
    stage = Stage(folder=folder, port=arguments.port, watch_s=WATCH_S)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs ignore the first
        signal.signal(number, signal.default_int_handler)
    try:
        _play(stage, once=arguments.once)
    except StageError as error:
        sys.stderr.write(f"\nThe demo stopped: {error}\n")
        return 1
    except KeyboardInterrupt:
        narrate.say("\nStopping.")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):  # a second Ctrl-C must leave nobody behind
            signal.signal(number, signal.SIG_IGN)
        stage.stop_all()
        if arguments.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def _play(stage: Stage, *, once: bool) -> None:
    story = tell(int(time.time() * 1000))
    narrate.opening(INTERVAL_S, SILENCE_S)
    narrate.step("starting a collector on embedded SQLite")
    stage.start_collector()
    _keep_book(stage, story)
    acts = Acts(stage=stage, people=People.hired(stage), now_ms=int(time.time() * 1000))
    acts.deliver()
    reader = acts.people.auditor.token
    watch = Watch(stage=stage, story=story, reader=reader)
    for number, host in enumerate(story.hosts, 1):
        narrate.progress(number, len(story.hosts), "hosts enrolled, and their agents started")
        file = stage.enrol(host.name, host.site, host.machine, signing=host.signing)
        stage.start_agent(host.name, file)
        watch.enrolled.add(host.name)
        watch.look()
    _enrol_real(stage)
    _let_things_happen(stage, watch)
    acts.shorten_timers()
    acts.let_it_be_found()
    answered = acts.work_on_findings()
    period = acts.close_last_month()
    _show(acts, story, answered=answered, report=acts.report(period))
    if not once:
        narrate.say("Serving until Ctrl-C.")
        while True:
            stage.wait("time", lambda: False, timeout_s=10**9)


def _show(acts: Acts, story: Story, *, answered: Sequence[str], report: Path) -> None:
    """Print what the book says now, what was found, who is late, and where to look."""
    stage, reader = acts.stage, acts.people.auditor.token
    names = {stage.host_id(host.name): host.name for host in story.hosts}
    narrate.balances(stage.server("reconcile"))
    narrate.signatures(
        {host.name: _round(stage, host, reader) for host in story.hosts},
        [(one.label, one.site) for one in story.declared],
    )
    narrate.delivered(acts.ledger(), names)
    narrate.findings(stage.get("/api/v1/findings?state=open&limit=200", reader)["items"], names)
    narrate.cases(
        [(stage.get(f"/api/v1/findings/{one}", reader), acts.trail(one)) for one in answered]
    )
    narrate.late(stage.get("/api/v1/waits?state=overdue&limit=200", reader)["items"])
    narrate.written(report)
    narrate.closing(
        stage.url,
        [(one.what, one.link(stage), one.token) for one in acts.people.all],
        acts.places(),
        story.planted,
    )


def _keep_book(stage: Stage, story: Story) -> None:
    narrate.step("importing what three sites are, were licensed for and received, in one file")
    events = b",".join(encode_event(event) for event in story.events)
    file = str(stage.write("history.json", f"[{events.decode()}]"))
    stage.server("import", "events", file)
    for one in story.declared:
        paper = str(stage.write(f"{one.label}.xml", one.document.decode()))
        stage.server("import", "nvidia-smi", paper, "--site", one.site, "--label", one.label)


def _enrol_real(stage: Stage) -> None:
    """On a machine with an NVIDIA driver, enrol it too: with the shipped agent, for real."""
    if not DRIVER.exists():
        return
    narrate.step("this machine has an NVIDIA driver: enrolling it too, for real")
    stage.enter("event-real", narrate.real_site(REAL))
    stage.enrol(REAL, REAL, None)
    stage.start_agent(REAL, None)


@dataclass(slots=True, kw_only=True)
class Watch:
    """Looks at who reports, and silences whom the story silences once he has reported twice.

    That waits until his whole site is there: one silent host among others is what is shown.
    """

    stage: Stage
    story: Story
    reader: str
    enrolled: set[str] = field(default_factory=set)
    silenced: set[str] = field(default_factory=set)
    fresh: dict[str, set[int]] = field(default_factory=dict)

    def look(self) -> int:
        """Return how many hosts have reported twice."""
        for row in self.stage.get("/api/v1/hosts?limit=200", self.reader)["items"]:
            if row["last_fresh_ms"] is not None:
                self.fresh.setdefault(row["id"], set()).add(row["last_fresh_ms"])
        twice = {host for host, times in self.fresh.items() if len(times) > 1}
        for host in self.story.hosts:
            site = {one.name for one in self.story.hosts if one.site == host.site}
            ready = host.falls_silent and host.name not in self.silenced and site <= self.enrolled
            if ready and self.stage.host_id(host.name) in twice:
                self.silenced.add(host.name)
                narrate.step(f"{host.name} stops answering")
                self.stage.stop(host.name)
        return len(twice)

    def all_seen(self) -> bool:
        """Tell whether every host has reported twice."""
        twice, total = self.look(), len(self.story.hosts)
        narrate.progress(min(twice, total), total, "hosts have reported twice")
        return twice >= total


def _let_things_happen(stage: Stage, watch: Watch) -> None:
    """Wait until every host was seen twice and its chips signed, and all of it is found."""
    stage.wait("every host's second report", watch.all_seen, timeout_s=180)
    _let_chips_sign(stage, watch.story, watch.reader)

    def all_found() -> bool:
        open_now = {
            row["type"] for row in stage.get("/api/v1/findings?state=open", watch.reader)["items"]
        }
        found = PLANTED_FINDINGS & open_now
        narrate.progress(len(found), len(PLANTED_FINDINGS), "kinds of planted finding are open")
        return found == PLANTED_FINDINGS

    stage.wait("the planted findings", all_found, timeout_s=180)


def _let_chips_sign(stage: Stage, story: Story, reader: str) -> None:
    """Wait until the collector's worker has judged what chips signed."""
    signers = [host for host in story.hosts if host.signed]
    total = sum(host.signed for host in signers)

    def all_signed() -> bool:
        done = sum(narrate.chips_signed(_round(stage, host, reader)) for host in signers)
        narrate.progress(done, total, "chips have signed for themselves, and were believed")
        return done >= total

    stage.wait("what chips signed", all_signed, timeout_s=180)


def _round(stage: Stage, host: Host, reader: str) -> narrate.Round:
    """Return the newest round of a host's evidence, None before the first."""
    found: narrate.Round = stage.get(f"/api/v1/hosts/{stage.host_id(host.name)}", reader)[
        "evidence"
    ]
    return found


if __name__ == "__main__":
    sys.exit(main())
