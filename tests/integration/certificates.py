"""Certificates for servers that the tests run: right ones, and each kind of wrong one."""

import base64
import datetime
import hashlib
import ipaddress
import pathlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "dns.example.net"
OTHER = "other.example.org"
DAY = datetime.timedelta(days=1)

# What each is called, and the words by which `bywayctl upstreams` tells what is wrong with it.
WRONG = {
    "expired": "its certificate expired at ",
    "early": "is this machine's clock right?",
    "other": f"its certificate is for {OTHER}, not for {NAME}",
    "bare": f"its certificate is for no name, not for {NAME}",
    "itself": "its certificate is self-signed",
    "unknown": "was issued by Unknown CA, which is not known here",
    "missing": "was issued by Between, which is not known here",
}
GOOD = ("good", "whole", "address")


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def subject(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@dataclass
class Identity:
    """A key and its certificate; `chain`: what a server shows, PEM."""

    key: object
    certificate: object
    chain: pathlib.Path = None
    key_file: pathlib.Path = None

    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def pin(self):
        spki = self.certificate.public_key().public_bytes(serialization.Encoding.DER,
                                                          serialization.PublicFormat.SubjectPublicKeyInfo)
        return "sha256/" + base64.b64encode(hashlib.sha256(spki).digest()).decode()

    @property
    def not_after(self):
        return self.certificate.not_valid_after.strftime("%Y-%m-%dT%H:%M:%SZ")


def issue(name, names=(), issuer=None, is_ca=False, begins=-DAY, ends=30 * DAY):
    key = ec.generate_private_key(ec.SECP256R1())
    at = now()
    builder = (x509.CertificateBuilder().subject_name(subject(name))
               .issuer_name(issuer.certificate.subject if issuer else subject(name))
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(at + begins).not_valid_after(at + ends)
               .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False))
    if issuer:
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(names)), critical=False)
    return Identity(key, builder.sign((issuer.key if issuer else key), hashes.SHA256()))


class Certificates:
    """`ca`: the file that an upstream's "ca" names. `shown`: {kind: Identity}, its files in `directory`. The kind
    `address` has the addresses `hosts` and no name."""

    def __init__(self, directory, *hosts):
        self.directory = pathlib.Path(directory)
        dns = [x509.DNSName(NAME)]
        root = issue("Test CA", is_ca=True)
        unknown = issue("Unknown CA", is_ca=True)
        between = issue("Between", issuer=root, is_ca=True)
        self.ca = self._write("ca.pem", root.pem())
        self.shown = {}
        self._show("good", issue(NAME, dns, root))
        self._show("address", issue(hosts[0], [x509.IPAddress(ipaddress.ip_address(host)) for host in hosts], root))
        self._show("whole", issue(NAME, dns, between), between)
        self._show("expired", issue(NAME, dns, root, begins=-3 * DAY, ends=-DAY))
        self._show("early", issue(NAME, dns, root, begins=2 * DAY))
        self._show("other", issue(OTHER, [x509.DNSName(OTHER)], root))
        self._show("bare", issue("bare", [], root))
        self._show("itself", issue(NAME, dns))
        self._show("unknown", issue(NAME, dns, unknown))
        self._show("missing", issue(NAME, dns, between))

    def __getitem__(self, kind):
        return self.shown[kind]

    def _write(self, name, data):
        path = self.directory / name
        path.write_bytes(data)
        path.chmod(0o644)
        return path

    def _show(self, kind, identity, *between):
        identity.chain = self._write(f"{kind}.pem", b"".join(one.pem() for one in (identity, *between)))
        identity.key_file = self._write(f"{kind}.key", identity.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        self.shown[kind] = identity
