"""What tests of several folders need once a session."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from tests.engine.daemon import Daemon, why_none

# Commands read these, and so would every test that starts one: faas-cli looks for its logins elsewhere where CI is set,
# help is as wide as COLUMNS says, and a hook of git tells whose repository it works on.
_READ = {
    "CI", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "SOURCE_DATE_EPOCH",
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT",
}  # fmt: skip
for _name in [*os.environ]:
    if _name in _READ or (_name.startswith(("DAYFLY_", "OPENFAAS_")) and not _name.startswith("DAYFLY_TEST_")):
        del os.environ[_name]

# A run of the tests says the same of the same code, whatever else the machine does: examples are neither timed nor of
# chance. Those of chance are for `make fuzz`, which loads the other profile.
_STEADY = settings(deadline=None, print_blob=True, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", _STEADY)
settings.register_profile("same", _STEADY, derandomize=True)
if "DAYFLY_TEST_SEARCH" in os.environ:
    settings.load_profile("search")
else:
    settings.load_profile("same")
    # Examples would hold numbers and texts from the source of the modules that are loaded, and so differ with the tests
    # that a worker ran before.
    providers._get_local_constants = lambda: providers._local_constants


LONGEST = (
    "unit/web/test_build.py", "unit/server/cluster/test_installing.py",
    "escape/test_attacks.py", "system/test_neighbours.py",
    *(f"system/test_{name}.py" for name in ("upgrade", "page", "start", "page_operations")),
    "contract/images/test_running.py", "contract/provider/test_provider.py",
    *(
        f"system/test_{name}.py"
        for name in (
            "tenants", "flows", "recovery", "query", "brokers", "guards", "examples", "canary", "trigger_examples",
            "triggers", "alerts", "queue", "keys", "clock", "dev", "functions", "egress",
        )
    ),
    *(f"contract/provider/test_{name}.py" for name in ("docker", "node")),
    "contract/source/test_source.py", "compat_openfaas/test_tutorial.py", "contract/languages/test_dockerfile.py",
    "contract/languages/test_builds.py",
    *(
        f"system/test_{name}.py"
        for name in ("routes", "sources", "calls", "runtimes", "tls", "audit", "images", "rollouts", "secrets", "drain")
    ),
)  # fmt: skip
"""The files that take longest, which come first: so no worker has one still when nothing is left for the other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the tests into that order, each file's own tests staying in theirs."""
    here = Path(__file__).parent
    places = {here / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def daemon() -> Iterator[Daemon]:
    """A container engine with the tests' image in it."""
    if why := why_none():
        pytest.skip(why)
    made = Daemon()
    yield made
    made.close()
