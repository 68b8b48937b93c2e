"""A real collector with real reports, and a real browser that looks at it."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from chipledger_testing.collector_process import CollectorProcess, running
from chipledger_testing.commands import Commands
from chipledger_testing.hosts import simulated
from chipledger_testing.suites import load, program

OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


@pytest.fixture(scope="session")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """Return a collector with two sites: one lacks a server, the other is empty."""
    folder = tmp_path_factory.mktemp("screens")
    with running(folder) as collector:
        commands = Commands(folder)
        commands.site("johor")
        commands.site("muar", owner="newco")
        servers = ("--unit", "HGX-H100-8", "--serials", "SRV-1,SRV-2")
        commands.done("receive", "--site", "johor", *servers)
        code = commands.done(
            *("code", "create", "--site", "johor", "--uses", "1", "--expires-in", "1h")
        ).strip()
        host = simulated("screens")
        collector.enrol(host, code)
        report = collector.report(host.full(collector.challenge(host).nonce))
        assert report.status == 200, report.body
        yield collector


@pytest.fixture(scope="session")
def auditor(collector: CollectorProcess) -> str:
    """Return an auditor's token."""
    return Commands(collector.folder).done("principal", "add", "ada", "--role", "auditor").strip()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return a browser without a window."""
    (need,) = load(os.environ)["browser"].commands
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(need), args=OPTIONS)
        yield browser
        browser.close()
