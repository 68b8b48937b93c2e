"""One place that decides which tests may run here, and says at the end which did not."""

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import settings

from chipledger_testing.suites import Suite, distribution, load, remedy, shared_folder

ENVIRON: Mapping[str, str] = os.environ
IN_CI = bool(ENVIRON.get("CI"))
SUITES = load(ENVIRON, system=distribution())
LEFT_OUT = "suite left out: "

settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile(
    "ci", max_examples=200, deadline=None, derandomize=True, database=None, print_blob=True
)
settings.register_profile("long", max_examples=5_000, deadline=None)
settings.load_profile(ENVIRON.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "dev"))


def pytest_configure(config: pytest.Config) -> None:
    """Make each suite of the list a marker."""
    for suite in SUITES.values():
        config.addinivalue_line("markers", f"{suite.name}: {suite.what}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test out, or fail it when CI is set, where the machine lacks what its suite needs."""
    for suite in SUITES.values():
        if item.get_closest_marker(suite.name):
            _require(suite)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of captures and tables; a test that asks for it belongs to `shared`."""
    _require(SUITES["shared"])
    return shared_folder(ENVIRON)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End with the suites that did not run, and the one line that would bring them."""
    reasons = _skip_reasons(terminalreporter)
    if not reasons:
        return
    terminalreporter.section("left out")
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count:5} x {reason}")
    absent = [
        suite for suite in SUITES.values() if any(_names(suite, reason) for reason in reasons)
    ]
    if line := remedy(absent):
        terminalreporter.write_line(f"to run them, on Debian or Ubuntu: {line}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With CI set, turn a run that left anything out into a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if IN_CI and isinstance(reporter, pytest.TerminalReporter) and _skip_reasons(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _require(suite: Suite) -> None:
    if missing := suite.missing():
        reason = f"{LEFT_OUT}{suite.name}, {suite.what} (no {', no '.join(missing)})"
        if IN_CI:
            pytest.fail(f"CI is set, so nothing may be left out; {reason}", pytrace=False)
        pytest.skip(reason)


def _names(suite: Suite, reason: str) -> bool:
    return reason.startswith(f"{LEFT_OUT}{suite.name},")


def _skip_reasons(reporter: pytest.TerminalReporter) -> Counter[str]:
    """Count why tests were skipped, over all workers."""
    longreprs = (report.longrepr for report in reporter.stats.get("skipped", []))
    return Counter(
        longrepr[2].removeprefix("Skipped: ")
        for longrepr in longreprs
        if isinstance(longrepr, tuple)
    )
