"""Further issuers of EK certificates, from the folder that an administrator names."""

from collections.abc import Sequence
from pathlib import Path

from cryptography import x509

from chipledger_evidence.tpm.endorsement import EkRoot, root_of
from chipledger_server.domain.codes import Code, ServerError


def load_ek_roots(folder: Path) -> Sequence[EkRoot]:
    """Return the issuers whose certificates lie in `folder`, in the order of their names.

    Raises:
        ServerError: `invalid-configuration`, naming the file that is no certificate.
    """
    roots: list[EkRoot] = []
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in {".pem", ".der"})
        for file in files:
            data = file.read_bytes()
            pem = file.suffix == ".pem"
            certificates = (
                x509.load_pem_x509_certificates(data)
                if pem
                else [x509.load_der_x509_certificate(data)]
            )
            roots += (root_of(one, vendor=file.stem, source=str(file)) for one in certificates)
    except (OSError, ValueError) as error:
        raise ServerError(
            Code.INVALID_CONFIGURATION,
            f"enrolment.ek_roots_folder: {folder}: {error}",
            hint="certificates only, as .pem or .der",
        ) from error
    return roots
