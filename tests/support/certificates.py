"""Certificates as an operator has them: an authority of the test's own, and a signer that it vouches for."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PEM = serialization.Encoding.PEM
BITS = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip


def _certificate(subject, public, issuer, signer, authority, days=9):
    now = datetime.now(timezone.utc)
    used = ("key_cert_sign", "crl_sign") if authority else ("digital_signature",)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(authority, None), True)
        .add_extension(x509.KeyUsage(**{bit: bit in used for bit in BITS}), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
    )
    if not authority:
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), True)
    return made.sign(signer, hashes.SHA256())


def signer(folder, kind="ec", days=9):
    """Files of a certificate with its chain and of its key: of P-256, or of RSA."""
    names = [
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, n), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test")])
        for n in ("authority", "signer")
    ]
    root = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
    chain = [
        _certificate(names[1], key.public_key(), names[0], root, False, days),
        _certificate(names[0], root.public_key(), names[0], root, True),
    ]
    certificate, secret = folder / f"{kind}.pem", folder / f"{kind}.key"
    certificate.write_bytes(b"".join(each.public_bytes(PEM) for each in chain))
    plain = serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, plain))
    return str(certificate), str(secret)
