"""Certificates: made anew, for localhost, with a key for its owner only."""

import stat
from pathlib import Path

from cryptography import x509

from tollway.sim.certificate import make_certificates


def test_certificates(tmp_path: Path) -> None:
    made = make_certificates(tmp_path / "new", 1_800_000_000.0)
    leaf = x509.load_pem_x509_certificate(made.chain.read_bytes())
    authority = x509.load_pem_x509_certificate(made.authority.read_bytes())
    leaf.verify_directly_issued_by(authority)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
