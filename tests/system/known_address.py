"""A platform whose addresses are read from its run folder: asking `dayfly status` before each call takes longer."""

import http.client
import json
from urllib.parse import urlsplit

from tests.system.driver import DEADLINE_S, Platform

from dayfly.server.folders import find_run_dir


class KnownAddress(Platform):
    """As a Platform, for tests that ask it many small things."""

    def connect(self, listener: str = "gateway_url") -> http.client.HTTPConnection:
        """Return a connection to a listener that the caller closes."""
        about = json.loads((find_run_dir(self.data_dir) / "instance.json").read_bytes())
        address = urlsplit(about[listener])
        return http.client.HTTPConnection(address.hostname or "", address.port, timeout=DEADLINE_S)
