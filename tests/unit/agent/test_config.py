"""What a person may set, and what is refused."""

from pathlib import Path

import pytest

from chipledger_agent.config import KEYS, AgentConfig, load_as_far_as_possible, load_config
from chipledger_agent.domain.failures import AgentCode, AgentError

GOOD = '[collector]\nurl = "https://collector.example:8443"\npin_file = "/etc/chipledger/pin"\n'


def write(folder: Path, text: str, *, name: str = "agent.toml") -> Path:
    """Return a configuration file with `text`."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return folder / "agent.toml"


def refused(path: Path) -> AgentError:
    """Return the error of loading `path`."""
    with pytest.raises(AgentError) as caught:
        load_config(path)
    return caught.value


def test_absent_keys_have_safe_values(tmp_path: Path) -> None:
    """A collector and its pin are all that must be said."""
    config = load_config(write(tmp_path, GOOD))

    assert config.key_file == Path("/var/lib/chipledger-agent/key.pem")
    assert config.metrics.listen == ""
    assert config.collector.proxy == ""
    assert config.spool.keep_sent_days == 7


def test_later_files_replace_single_keys(tmp_path: Path) -> None:
    """conf.d/*.toml in the order of their names; the rest of a table stays."""
    path = write(tmp_path, GOOD + "[spool]\nmax_reports = 5\nmax_mib = 7\n")
    write(tmp_path, "[spool]\nmax_reports = 6\n", name="conf.d/20-b.toml")
    write(tmp_path, "[spool]\nmax_reports = 9\n", name="conf.d/10-a.toml")
    write(tmp_path, "[spool]\nmax_reports = 1\n", name="conf.d/30-c.conf")

    spool = load_config(path).spool
    assert (spool.max_reports, spool.max_mib) == (6, 7)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("[collector]\nurll = 1\n", "collector.url"),
        ("[colector]\nurl = 1\n", "collector"),
        ('statedir = "/x"\n', "state_dir"),
        ("[spool]\nmax_report = 1\n", "spool.max_reports"),
    ],
)
def test_an_unknown_key_is_refused_with_a_suggestion(tmp_path: Path, text: str, meant: str) -> None:
    """A typing error is not a silent default."""
    path = write(tmp_path, GOOD)
    write(tmp_path, text, name="conf.d/x.toml")
    error = refused(path)

    assert error.code == AgentCode.CONFIG_UNKNOWN_KEY
    assert "x.toml" in error.detail
    assert error.hint == f"did you mean {meant}?"


@pytest.mark.parametrize(
    "line",
    [
        'state_dir = "relative"',
        "state_dir = 5",
        '[schedule]\ninterval_s = "1h"',
        "[schedule]\ninterval_s = 1.5",
        "[schedule]\ninterval_s = true",
        "[schedule]\ninterval_s = -1",
        "[scan]\ndeadline_s = 0",
        '[scan]\nlibraries = "/usr/lib/libnvidia-ml.so.1"',
        '[scan]\nlibraries = ["libnvidia-ml.so.1"]',
        '[key]\nalgorithm = "rsa"',
        '[log]\nlevel = "verbose"',
        '[metrics]\nlisten = "0.0.0.0:9000"',
        '[metrics]\nlisten = "unix:relative.sock"',
        '[metrics]\nlisten = "127.0.0.1:99999"',
    ],
)
def test_a_value_of_the_wrong_kind_or_size_is_refused(tmp_path: Path, line: str) -> None:
    """Naming file and key."""
    path = write(tmp_path, GOOD)
    write(tmp_path, line + "\n", name="conf.d/x.toml")
    error = refused(path)

    assert error.code == AgentCode.CONFIG_BAD_VALUE
    assert "x.toml" in error.detail
    assert error.hint


@pytest.mark.parametrize(
    "collector",
    [
        'url = "ftp://collector.example"',
        'url = "https://"',
        'url = "http://collector.example:8080"',
        'url = "http://192.0.2.1"',
        'url = "https://user:secret@collector.example"',
        'url = "https://collector.example/?x=1"',
        'url = "https://collector.example"\nproxy = "https://proxy.example:1"',
        'url = "https://collector.example"\nproxy = "http://user:secret@proxy.example:1"',
        'url = "https://collector.example"',
        "",
    ],
)
def test_a_collector_that_cannot_be_reached_safely_is_refused(
    tmp_path: Path, collector: str
) -> None:
    """Plain HTTP beyond loopback, passwords in addresses, https without a pin, none at all."""
    error = refused(write(tmp_path, f"[collector]\n{collector}\n"))

    assert error.code == AgentCode.CONFIG_BAD_VALUE
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1", "http://127.9.9.9"]
)
def test_plain_http_is_for_loopback(tmp_path: Path, url: str) -> None:
    """Where nobody listens in."""
    assert load_config(write(tmp_path, f'[collector]\nurl = "{url}"\n')).collector.url == url


@pytest.mark.parametrize("listen", ["unix:/run/x/m.sock", "127.0.0.1:9000", "[::1]:0"])
def test_metrics_listen_where_only_this_host_can_ask(tmp_path: Path, listen: str) -> None:
    """A unix socket or loopback."""
    config = load_config(write(tmp_path, GOOD + f'[metrics]\nlisten = "{listen}"\n'))

    assert config.metrics.listen == listen


@pytest.mark.parametrize("text", ["not toml", "x = [", "\xff"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, text: str) -> None:
    """Naming the file."""
    path = tmp_path / "agent.toml"
    path.write_bytes(text.encode("latin-1"))

    assert refused(path).code == AgentCode.CONFIG_UNREADABLE


def test_an_absent_file_is_refused_where_something_is_sent(tmp_path: Path) -> None:
    """And means the defaults where nothing is."""
    assert refused(tmp_path / "agent.toml").code == AgentCode.CONFIG_UNREADABLE
    assert load_config(tmp_path / "agent.toml", offline=True).collector.url == ""


@pytest.mark.parametrize("text", [None, "not toml", "", '[collector]\nurl = "https://c.example"\n'])
def test_the_hint_at_a_missing_configuration_can_be_written_down_as_it_stands(
    tmp_path: Path, text: str | None
) -> None:
    """A host has no documentation beside the program: the hint itself is a configuration."""
    path = tmp_path / "agent.toml"
    if text is not None:
        path.write_text(text)
    hint = refused(path).hint
    path.write_text(hint[hint.index("[collector]") :])

    assert load_config(path).collector.pin_file is not None


def test_an_unknown_key_like_no_other_is_answered_with_all_keys(tmp_path: Path) -> None:
    """Instead of a page that is not on the host."""
    hint = refused(write(tmp_path, GOOD + "[spool]\nzzzzzzzzzzzzzzzz = 1\n")).hint

    assert all(key.path in hint for key in KEYS)


@pytest.mark.parametrize("offline", [False, True])
def test_a_folder_that_cannot_be_looked_into_is_no_absent_one(
    tmp_path: Path, *, offline: bool
) -> None:
    """Such as one closed to this account: that is said, not taken for the defaults."""
    path = tmp_path / ("too-long" * 40) / "agent.toml"
    with pytest.raises(AgentError) as caught:
        load_config(path, offline=offline)

    assert caught.value.code == AgentCode.CONFIG_UNREADABLE
    assert load_as_far_as_possible(path) == AgentConfig()


def test_what_cannot_be_loaded_whole_is_loaded_as_far_as_it_goes(tmp_path: Path) -> None:
    """For a command that explains: the good keys of the files, else the defaults."""
    assert load_as_far_as_possible(tmp_path / "agent.toml") == AgentConfig()
    path = write(tmp_path, f'stat_dir = "/x"\nstate_dir = "{tmp_path}"\n[log]\nlevel = "loud"\n')
    assert load_as_far_as_possible(path) == AgentConfig(state_dir=tmp_path)
    assert load_as_far_as_possible(write(tmp_path, "not toml")) == AgentConfig()


def test_every_default_is_accepted_by_its_own_key() -> None:
    """What stands in the documentation may be written down as it stands."""
    for key in KEYS:
        if isinstance(key.default, int | str):
            assert key.read(key.default) == key.default


def test_no_device_is_asked_unless_somebody_says_so(tmp_path: Path) -> None:
    """A call for evidence can hurt what runs on the chips."""
    evidence = load_config(write(tmp_path, GOOD)).evidence

    assert (evidence.nvml, evidence.corelib, evidence.redfish_url) == (False, False, "")
    assert evidence.interval_s == 12 * 3600


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("interval_s = 60\n", "evidence.interval_s must be from 3600"),
        ("nvml = 1\n", "evidence.nvml must be true or false"),
        ('redfish_url = "http://192.0.2.20"\n', "evidence.redfish_url"),
        ('redfish_url = "http://127.0.0.1"\n', "evidence.redfish_url must be an https://"),
        ('redfish_url = "https://u:p@192.0.2.20"\n', "evidence.redfish_url must hold no user"),
        ('redfish_url = "https://192.0.2.20"\n', "evidence.redfish_pin_file is missing"),
        (
            'redfish_url = "https://192.0.2.20"\nredfish_pin_file = "/etc/pin"\n',
            "evidence.redfish_credentials_file is missing",
        ),
    ],
)
def test_a_source_of_evidence_that_would_not_be_safe_is_refused(
    tmp_path: Path, text: str, words: str
) -> None:
    """Asked too often, without TLS, without pin, or with a password in the configuration."""
    error = refused(write(tmp_path, f"{GOOD}[evidence]\n{text}"))

    assert error.code == AgentCode.CONFIG_BAD_VALUE
    assert words in error.detail
