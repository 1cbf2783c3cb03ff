"""One installation for all of these tests: it takes the time it takes to build an image and to start pods."""

import os
from collections.abc import Iterator

import pytest
from tests.kubernetes.installation import Installation, why_none


def pytest_sessionstart() -> None:
    """End at once where a cluster is required and there is none: having run nothing is not green."""
    if os.environ.get("DAYFLY_TEST_CLUSTER") == "required" and (reason := why_none()):
        pytest.exit(reason, returncode=1)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The platform, installed; whatever a test leaves of it is removed in the end."""
    if reason := why_none():
        pytest.skip(reason)
    installation = Installation(tmp_path_factory.mktemp("cluster"))
    try:
        installation.set_up()
        installation.reach()
        yield installation
    finally:
        installation.tear_down()
