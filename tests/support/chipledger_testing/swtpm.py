"""Real TPMs in software: swtpm processes, made by a maker of our own with its own authority.

Needs the suite `tpm` of tools/suites.toml. Each TPM keeps its state in a folder, which can be
copied as a cloner of virtual machines would.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from tpm2_pytss import ESAPI, TCTILdr
from tpm2_pytss.constants import ESYS_TR, TPM2_ALG, TPM2_CAP, TPM2_RH, TPM2_ST, TPM2_SU
from tpm2_pytss.TSS2_Exception import TSS2_Exception
from tpm2_pytss.types import (
    TPM2B_AUTH,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE_CREATE,
    TPMS_SENSITIVE_CREATE,
    TPMT_PUBLIC,
    TPMT_SIG_SCHEME,
    TPMT_TK_HASHCHECK,
)

from chipledger_evidence.tpm.endorsement import EkRoot, root_of

os.environ.setdefault("TSS2_LOG", "all+none")  # as the agent does; read once, by the C library
_PATIENCE_S = 20
_MOST_TRIES = 64
_LOCKED_OUT = 0x921
_NO_ROOM = 0x902
_TRANSIENT = 0x80000000
# A P-256 signing key under the protection against guessing: noDA is not among its attributes.
_PROTECTED = bytes.fromhex("0023 000b 00040072 0000 0010 0018 000b 0003 0010 0000 0000")


@dataclass(frozen=True, slots=True, kw_only=True)
class TpmMaker:
    """Who makes TPMs and signs their EK certificates.

    Attributes:
        folder: where its authority is.
    """

    folder: Path

    def make(self, state: Path) -> "SoftwareTpm":
        """Return a new TPM with an EK certificate, not started."""
        state.mkdir(parents=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        options = self.folder / "options"
        options.write_text(
            "--platform-manufacturer Test\n--platform-version 1\n--platform-model Test\n"
        )
        authority = self.folder / "authority.conf"
        authority.write_text(
            f"statedir = {self.folder}\nsigningkey = {self.folder}/signkey.pem\n"
            f"issuercert = {self.folder}/issuercert.pem\ncertserial = {self.folder}/serial\n"
        )
        setup = self.folder / "setup.conf"
        setup.write_text(
            f"create_certs_tool = {shutil.which('swtpm_localca')}\n"
            f"create_certs_tool_config = {authority}\ncreate_certs_tool_options = {options}\n"
            "active_pcr_banks = sha256\n"
        )
        manufactured = subprocess.run(
            [
                *("swtpm_setup", "--tpm2", "--create-ek-cert", "--lock-nvram"),
                *("--tpmstate", str(state), "--config", str(setup)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if manufactured.returncode:
            raise AssertionError(manufactured.stdout + manufactured.stderr)
        return SoftwareTpm(state=state)

    @property
    def root(self) -> EkRoot:
        """The pin of this maker's issuer."""
        issuer = x509.load_pem_x509_certificate((self.folder / "issuercert.pem").read_bytes())
        return root_of(issuer, vendor="test", source="made by this test")


def bare(state: Path) -> "SoftwareTpm":
    """Return a new TPM that no maker vouches for, not started."""
    state.mkdir(parents=True)
    return SoftwareTpm(state=state)


@dataclass(slots=True)
class SoftwareTpm:
    """One TPM.

    Attributes:
        state: folder of its persistent state.
        tcti: how an agent reaches it, while it is on.
    """

    state: Path
    tcti: str = ""
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def switch_on(self) -> "SoftwareTpm":
        """Power it, and let the platform start it."""
        port = _two_free_ports()
        address = "type=tcp,bindaddr=127.0.0.1"
        self._process = subprocess.Popen(
            [
                *("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.state}"),
                *("--server", f"{address},port={port}", "--ctrl", f"{address},port={port + 1}"),
                *("--flags", "not-need-init"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.tcti = f"swtpm:host=127.0.0.1,port={port}"
        _await(port)
        _await(port + 1)
        with self.speaking() as tpm:
            tpm.startup(TPM2_SU.CLEAR)
        return self

    def switch_off(self) -> None:
        """Take the power away, in order."""
        if self._process is None:
            return
        if self._process.poll() is None:
            with self.speaking() as tpm:
                tpm.shutdown(TPM2_SU.CLEAR)
            self._process.terminate()
        self._process.wait(_PATIENCE_S)
        self._process = None

    def power_cycle(self) -> None:
        """Reset it: registers are cleared, and the reset counter goes up."""
        self.switch_off()
        self.switch_on()

    def clear(self) -> None:
        """Clear it, as an owner may: storage and endorsement keys of others end."""
        with self.speaking() as tpm:
            tpm.clear(ESYS_TR.PLATFORM)

    def extend(self, register: int, value: bytes) -> None:
        """Measure something into a register."""
        with self.speaking() as tpm:
            tpm.pcr_event(ESYS_TR(register), value)

    def close_endorsement(self) -> None:
        """Give the endorsement hierarchy an authorisation value that the agent has not."""
        with self.speaking() as tpm:
            tpm.hierarchy_change_auth(ESYS_TR.ENDORSEMENT, TPM2B_AUTH(b"somebody else's"))

    def lock_out(self) -> None:
        """Fail so many authorisations that the TPM refuses protected keys for a while."""
        secret = TPM2B_SENSITIVE_CREATE(TPMS_SENSITIVE_CREATE(userAuth=TPM2B_AUTH(b"right")))
        template = TPM2B_PUBLIC(publicArea=TPMT_PUBLIC.unmarshal(_PROTECTED)[0])
        nothing = TPMT_TK_HASHCHECK(tag=TPM2_ST.HASHCHECK, hierarchy=TPM2_RH.NULL)
        with self.speaking() as tpm:
            handle, *_ = tpm.create_primary(secret, template)
            tpm.tr_set_auth(handle, b"wrong")
            for _ in range(_MOST_TRIES):
                try:
                    tpm.sign(handle, bytes(32), TPMT_SIG_SCHEME(scheme=TPM2_ALG.NULL), nothing)
                except TSS2_Exception as error:
                    if int(error.rc) == _LOCKED_OUT:
                        tpm.flush_context(handle)
                        return
        raise AssertionError("the TPM never locked out")

    def fill(self) -> None:
        """Leave objects in it until there is room for no other, as a careless program does."""
        with self.speaking() as tpm:
            for _ in range(_MOST_TRIES):
                try:
                    tpm.create_primary(None, "ecc")
                except TSS2_Exception as error:
                    if int(error.rc) == _NO_ROOM:
                        return
                    raise
        raise AssertionError("the TPM never filled up")

    def empty(self) -> None:
        """Flush what was left in it."""
        with self.speaking() as tpm:
            _, held = tpm.get_capability(TPM2_CAP.HANDLES, _TRANSIENT, _MOST_TRIES)
            for handle in held.data.handles:
                tpm.flush_context(tpm.tr_from_tpmpublic(handle))

    def cloned(self, state: Path) -> "SoftwareTpm":
        """Return a copy, not started; this one must be switched off."""
        shutil.copytree(self.state, state, ignore=shutil.ignore_patterns(".lock"))
        return SoftwareTpm(state=state)

    @contextmanager
    def speaking(self) -> Iterator[Any]:
        """Speak to it past the agent."""
        name, _, where = self.tcti.partition(":")
        with TCTILdr(name, where) as transport, ESAPI(transport) as tpm:
            yield tpm


def _two_free_ports() -> int:
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def _await(port: int) -> None:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise AssertionError("swtpm does not listen")
