"""What tests of several folders need once a session."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from tests.engine.daemon import Daemon, why_none
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from tests.contract.source.servers.rabbitmq import RabbitMq

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
    "escape/test_attacks.py", "system/test_neighbours.py",
    *(f"system/test_{name}.py" for name in ("brokers", "upgrade")), "unit/server/cluster/test_installing.py",
    "system/test_page.py", "contract/provider/test_provider.py", "system/test_page_guards.py",
    "contract/provider/test_node.py", *(f"system/test_{name}.py" for name in ("page_access", "chaos", "queue")),
    "contract/images/test_running.py",
    *(
        f"system/test_{name}.py"
        for name in ("page_calls", "page_operations", "examples", "start", "images", "page_deploy", "page_settings")
    ),
    "contract/provider/test_kubernetes.py", "compat_openfaas/test_tutorial.py",
    *(f"system/test_{name}.py" for name in ("clock", "flows", "page_functions")), "api/test_tenants.py",
    *(f"system/test_{name}.py" for name in ("prometheus", "rollouts", "guards", "calls", "tenants")),
    *(f"contract/languages/test_{name}.py" for name in ("languages", "builds", "dockerfile")),
    *(
        f"system/test_{name}.py"
        for name in ("recovery", "triggers", "egress", "dev", "page_charts", "query", "routes", "secrets", "keys")
    ),
    "contract/provider/test_docker.py", "unit/runtimes/test_image.py", "unit/web/test_build.py",
    "contract/queue/test_three_servers.py", "contract/images/test_cycle.py",
    *(f"contract/provider/test_{name}.py" for name in ("local", "servers")),
    *(
        f"system/test_{name}.py"
        for name in (
            "sources", "history", "canary", "functions", "tls", "replay", "drain", "audit", "platform_log", "alerts",
            "figures", "runtimes", "store_crash",
        )
    ),
)  # fmt: skip
"""The files that take longest, which come first: so no worker has one still when nothing is left for the other."""


TOGETHER = (
    ("tests/compat_openfaas/",),
    ("tests/contract/source/", *(f"tests/system/test_{name}.py" for name in ("brokers", "trigger_examples"))),
)
"""Files that share what takes long to start, a platform or RabbitMQ: one process has all of a group."""


class ByFile(LoadFileScheduling):  # type: ignore[misc] # xdist tells no types
    """Gives each process a file at a time, or the files that belong together."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(super()._split_scope(nodeid))


def unit_of(file: str) -> str:
    """Return what a file's tests are given to a process as: all of its group, or the file alone."""
    return next((group[0] for group in TOGETHER if file.startswith(group)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile | None:
    """Have it so where files are to stay whole."""
    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


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


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator["RabbitMq"]:
    """RabbitMQ, which takes as long to start as five platforms; no two tests have a queue or an exchange in common."""
    from tests.contract.source.servers.rabbitmq import RabbitMq  # few need it, and what it loads

    if why := RabbitMq.why_none():
        pytest.skip(why)
    server = RabbitMq(tmp_path_factory.mktemp("rabbitmq"))
    try:
        server.start()
        yield server
    finally:
        server.close()
