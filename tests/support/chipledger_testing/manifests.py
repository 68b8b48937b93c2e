"""Reference manifests of a maker of our own, in the shape of NVIDIA's: SWID tags, signed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

from chipledger_testing.gpu_pki import PKI, Link, key_of

_ROOT = PKI.root
_CA = Link(name="Reference Values", key=key_of("reference values"), issuer=_ROOT)
_SIGNER = Link(
    name="Manifest Signer",
    key=key_of("manifest signer"),
    issuer=_CA,
    ca=False,
    usage="digital_signature",
)
_SWID = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"
_SHA384 = "http://www.w3.org/2001/04/xmlenc#sha384"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestMaker:
    """A manifest to be signed; every part can be another than a maker would write.

    Attributes:
        version: of the driver or VBIOS.
        golden: index → acceptable digests.
        product: die.
        inactive: indices that are listed and not to be compared.
        links: the signer's chain, signer first.
        digest: digest of the signature.
    """

    version: str
    golden: Mapping[int, Sequence[bytes]]
    product: str = "GH100"
    inactive: Sequence[int] = ()
    links: Sequence[Link] = (_SIGNER, _CA, _ROOT)
    digest: DigestAlgorithm = DigestAlgorithm.SHA384
    method: SignatureMethod = SignatureMethod.ECDSA_SHA384

    def until(self, when: datetime) -> "ManifestMaker":
        """Return the same by a signer whose certificate ends."""
        return replace(self, links=(replace(self.links[0], until=when), *self.links[1:]))

    def tag(self) -> etree._Element:
        """Return the tag, unsigned."""
        root = etree.Element(f"{{{_SWID}}}SoftwareIdentity", nsmap={"s": _SWID, "h": _SHA384})
        etree.SubElement(
            root,
            f"{{{_SWID}}}Meta",
            colloquialVersion=self.version,
            product=self.product,
        )
        payload = etree.SubElement(root, f"{{{_SWID}}}Payload")
        for index, digests in self.golden.items():
            resource = etree.SubElement(
                payload,
                f"{{{_SWID}}}Resource",
                type="Measurement",
                index=str(index),
                active=str(index not in self.inactive),
                alternatives=str(len(digests)),
            )
            for number, digest in enumerate(digests):
                resource.set(f"{{{_SHA384}}}Hash{number}", digest.hex())
        return root

    def signed(self) -> bytes:
        """Return the signed document."""
        signer = XMLSigner(
            signature_algorithm=self.method,
            digest_algorithm=self.digest,
            c14n_algorithm=CanonicalizationMethod.CANONICAL_XML_1_1,
        )
        signed = signer.sign(
            self.tag(),
            key=self.links[0].key,
            cert=[link.certificate() for link in self.links],
        )
        return bytes(etree.tostring(signed))
