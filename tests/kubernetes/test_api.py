"""The cluster's API server answers as the double does, with which all else is tested: tests/unit/cluster asks that."""

import json
import os
from pathlib import Path

import pytest
from tests.cluster import conformance
from tests.kubernetes.installation import why_none

from dayfly.cluster.connection import from_kubeconfig

pytestmark = pytest.mark.timeout(120)


def test_the_api_server_answers_as_the_double() -> None:
    if reason := why_none():
        pytest.skip(reason)
    api = conformance.Api(from_kubeconfig(Path(os.environ["KUBECONFIG"])))
    try:
        with conformance.prepared(api):
            found = conformance.told(api)
    finally:
        api.close()
    assert found == json.loads(conformance.GOLDEN.read_text())
