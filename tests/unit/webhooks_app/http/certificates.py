"""Authorities and certificates of tests, made as they are needed."""

import datetime
import ssl
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from webhooks_app.http import tls

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, in PEM."""

    certificate: str
    key: str


class Authority:
    """Signs certificates."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of tests")])

    @cached_property
    def pem(self) -> str:
        public = self._key.public_key()
        builder = _begun(self._name, self._name, public, 1)
        names = "digital_signature content_commitment key_encipherment data_encipherment key_agreement"
        may = dict.fromkeys([*names.split(), "encipher_only", "decipher_only"], False)
        usage = x509.KeyUsage(**may, key_cert_sign=True, crl_sign=True)
        for extension in (x509.BasicConstraints(ca=True, path_length=0), usage):
            builder = builder.add_extension(extension, critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        return _pem(builder.sign(self._key, hashes.SHA256()))

    def issue(self, *names: str, days: int = 1) -> Issued:
        """For these names and addresses. `days`: until when; negative: it has run out."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        builder = _begun(subject, self._name, key.public_key(), days)
        also = x509.SubjectAlternativeName([_general(name) for name in names])
        whose = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        for extension in (also, whose):
            builder = builder.add_extension(extension, critical=False)
        made = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Issued(_pem(builder.sign(self._key, hashes.SHA256())), made.decode())


def server(issued: Issued, clients_of: Authority | None = None) -> ssl.SSLContext:
    """What a server with this certificate has. `clients_of`: who must have signed those of its clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tls._file(issued.certificate + issued.key) as path:
        context.load_cert_chain(path)
    if clients_of is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients_of.pem)
    return context


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    until = now + days * _DAY
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 9 * _DAY)
        .not_valid_after(until)
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
