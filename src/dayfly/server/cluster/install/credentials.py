"""What is made at random at the first installation, and stays as it is from then on."""

import base64
import secrets
import string
from collections.abc import Mapping

from dayfly.server.cluster.install.manifests import Credentials
from dayfly.server.cluster.names import (
    ADMIN_PASSWORD,
    CA,
    CERT,
    CONTROL,
    KEY,
    PASSAGE_TOKEN,
    QUEUE_PASSWORD,
    QUEUE_ROUTE_PASSWORD,
    QUEUE_SYSTEM_PASSWORD,
    TOKEN_KEY,
)
from dayfly.storage.certificate import make_certificate

_LETTERS = string.ascii_letters + string.digits
_LENGTH = 40
_YEARS = 10


def hosts_of(namespace: str) -> list[str]:
    """Return the names that the control plane's certificate is for."""
    return [CONTROL, f"{CONTROL}.{namespace}", f"{CONTROL}.{namespace}.svc"]


def make_credentials(
    namespace: str, password: str, admin: Mapping[str, str], internal: Mapping[str, str]
) -> Credentials:
    """Return what our Secrets are to hold: what they hold already, else something new.

    `admin` and `internal` are the `data` of the Secrets that are there, empty for none. A password that was given
    counts more than the one that is there. The certificate's three parts are made, and kept, together.
    """
    pair = {name: internal[name] for name in (CA, CERT, KEY) if name in internal}
    if len(pair) < len((CA, CERT, KEY)):
        made = make_certificate(hosts_of(namespace), years=_YEARS)
        pair = {CA: _encoded(made.ca), CERT: _encoded(made.cert), KEY: _encoded(made.key)}
    given = _encoded(password.encode()) if password else admin.get(ADMIN_PASSWORD)
    return Credentials(
        password=given or _encoded(_random()),
        link_token=internal.get(PASSAGE_TOKEN) or _encoded(_random()),
        token_key=internal.get(TOKEN_KEY) or _encoded(secrets.token_bytes(32)),
        queue_password=internal.get(QUEUE_PASSWORD) or _encoded(_random()),
        queue_system_password=internal.get(QUEUE_SYSTEM_PASSWORD) or _encoded(_random()),
        # Once the servers had the one of the system for it: those that run keep agreeing with those that come.
        queue_route_password=internal.get(QUEUE_ROUTE_PASSWORD)
        or internal.get(QUEUE_SYSTEM_PASSWORD)
        or _encoded(_random()),
        ca=pair[CA],
        cert=pair[CERT],
        key=pair[KEY],
    )


def _random() -> bytes:
    """A word that begins with a letter: nats-server takes one that begins with a digit for a number."""
    return (secrets.choice(string.ascii_letters) + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))).encode()


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
