"""A certificate for a server on this machine, from an authority that nobody else knows."""

from pathlib import Path
from typing import NamedTuple

import trustme


class Certificates(NamedTuple):
    """Where they are, and whom to believe."""

    ca: Path
    certificate: Path
    key: Path

    @property
    def ca_text(self) -> str:
        """The authority's certificate."""
        return self.ca.read_text()


def made_in(folder: Path) -> Certificates:
    """Write them into a folder."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    made = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    authority.cert_pem.write_to_path(made.ca)
    made.certificate.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(made.key)
    return made
