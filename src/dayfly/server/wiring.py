"""Which processes an installation consists of, and what each of them is given.

Every child gets an environment of its own, named variable by variable: the control plane the account's settings for
package indexes and proxies, which installing dependencies needs; the gateways and the zygote, below which functions
run, next to nothing.
"""

import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from dayfly import __version__
from dayfly.model.sandbox import TIERS, Sandbox
from dayfly.queue.binary import Server
from dayfly.runtimes.jail.layers import Layers
from dayfly.runtimes.python.command import zygote_argv
from dayfly.server.crew import CONTROL, ZYGOTES
from dayfly.server.plan import Child, Plan
from dayfly.server.ports import Listeners
from dayfly.server.sandbox import why_stopped
from dayfly.server.settings import Settings

_EVERYBODY = ("LANG", "LC_ALL", "PATH", "PYTHONPATH", "TZ")
_ACCOUNT = (
    "DOCKER_CONFIG",
    "HOME",
    "LOGNAME",
    "NETRC",
    "TMPDIR",
    "USER",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
)
_NETWORK = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
_CERTIFICATES = ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
_EXPORTERS = ("OTEL_",)
_INSTALLERS = ("PIP_", "UV_", "NPM_CONFIG_", "npm_config_")
STATE = "state.db"
"""The state's file in the data folder."""
_STOP_MARGIN_S = 5.0
_EGRESS_STAGE = 3
_STORE_MARGIN_BYTES = 2**30
"""What the queue's store may take beside the requests: standings, results, and room that is not yet free again."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything of one installation lies and how it is reached.

    `RUN_DIR/settings-LIFE.json` holds it; every life of the supervisor has a number, and its processes a file.
    """

    settings: Settings
    run_dir: str
    layers: Layers
    sandbox: Sandbox
    gateway_url: str
    console_url: str
    metrics_url: str
    life: int = 1
    nats: Server = Server()
    """The nats-server that keeps queued calls."""

    def run(self, name: str) -> Path:
        """Return the path of a file or socket in the run folder."""
        return Path(self.run_dir, name)

    def data(self, name: str) -> Path:
        """Return the path of a file or folder in the data folder."""
        return Path(self.settings.data_dir, name)


def read_place(path: str) -> Place:
    """Return what the settings file at `path` says."""
    return msgspec.json.decode(Path(path).read_bytes(), type=Place)


def make_place(
    settings: Settings, run_dir: Path, listeners: Listeners, layers: Layers, sandbox: Sandbox, nats: Server
) -> Place:
    """Return the place for the children of the first life."""
    return Place(
        settings=settings,
        run_dir=str(run_dir),
        layers=layers,
        sandbox=sandbox,
        gateway_url=listeners.gateway_url,
        console_url=listeners.console_url,
        metrics_url=listeners.metrics_url,
        nats=nats,
    )


def make_plan(place: Place, layout: int, notices: Iterable[str] = ()) -> Plan:
    """Return the plan for the supervisor; `layout` is that of the state which this program works with."""
    settings = place.settings
    instance = {
        "gateway_url": place.gateway_url,
        "console_url": place.console_url,
        "metrics_url": place.metrics_url,
        "version": __version__,
        "data_dir": settings.data_dir,
        "life": str(place.life),
        "sandbox": f"tier {place.sandbox.tier}: {TIERS[place.sandbox.tier]}",
    }
    children = [
        *([_nats(place), _queue(place)] if place.nats.path else []),
        _egress(place),
        _zygote(place),
        _control(place),
        *(_gateway(place, number) for number in range(settings.gateways)),
    ]
    program = [sys.executable, "-P", "-m", "dayfly.server.supervisor"]
    told = list(dict.fromkeys((*notices, *_warnings(place))))  # those of the life before may be among the notices
    return Plan(settings.data_dir, place.run_dir, children, instance, told, program, layout, settings.log_format)


def inner_sockets(place: Place) -> list[str]:
    """Return where the gateways that there are now take calls from the platform's own parts."""
    return [str(path) for path in Path(place.run_dir).glob("calls-*.sock")]


def plan_file(run_dir: Path, life: int) -> Path:
    """Return where the plan of that life is."""
    return run_dir / f"plan-{life}.json"


def settings_file(run_dir: Path, life: int) -> Path:
    """Return where the place and the settings of that life are."""
    return run_dir / f"settings-{life}.json"


def _warnings(place: Place) -> Iterable[str]:
    """What somebody should know who starts this on a machine that lacks something."""
    sandbox = place.sandbox
    if sandbox.tier == "C":
        yield "UNSANDBOXED: functions can read whatever this account can. Deploy only what you wrote yourself."
    if why := why_stopped(Path(place.settings.data_dir), sandbox.tier):
        yield f"No function runs: {why}."
    yield from sandbox.missing
    if place.nats.missing:
        yield f"No queue: {place.nats.missing}."


def _zygote(place: Place) -> Child:
    argv = zygote_argv(
        interpreter=sys.executable,
        socket=place.run("zygote-{generation}.sock"),
        template_budget_bytes=place.settings.template_budget_bytes,
        layers=place.layers,
        egress=place.run("egress.sock"),
        workers=place.settings.workers,
    )
    argv += ["--ready-fd", "{ready}"]
    return Child(
        "zygote", argv, list(_EVERYBODY), [], reports=True, stage=ZYGOTES, stop_s=_STOP_MARGIN_S, overlaps=True
    )


def _egress(place: Place) -> Child:
    argv = [
        sys.executable,
        "-P",
        "-m",
        "dayfly.runtimes.jail.egress.process",
        "--socket",
        str(place.run("egress.sock")),
    ]
    layers = ",".join(name for name in ("landlock", "seccomp") if getattr(place.layers, name))
    argv += ["--layers", layers, "--log-format", place.settings.log_format, "--ready-fd", "{ready}"]
    return Child(
        "egress", argv, list(_EVERYBODY), [], reports=True, stage=_EGRESS_STAGE, stop_s=_STOP_MARGIN_S, overlaps=True
    )


def _control(place: Place) -> Child:
    argv = [*_module("control_process", place), "--ready-fd", "{ready}", "--generation", "{generation}"]
    inherits = [
        "DAYFLY_ADMIN_PASSWORD",
        *_EVERYBODY,
        *_ACCOUNT,
        *_NETWORK,
        *_CERTIFICATES,
        *(name.lower() for name in _NETWORK),
    ]
    inherits += _prefixed(os.environ, (*_INSTALLERS, *_EXPORTERS))
    stop_s = place.settings.drain_s + _STOP_MARGIN_S
    return Child("control", argv, inherits, [], reports=True, stage=CONTROL, stop_s=stop_s)


def _gateway(place: Place, number: int) -> Child:
    name = f"gw{number}"
    argv = [*_module("gateway_process", place), "--name", "{name}", "--ready-fd", "{ready}", "--public-fd", "{public}"]
    argv += ["--memory-fd", "{memory}"]
    sockets = ["public"]
    if number == 0:
        argv += ["--console-fd", "{console}", "--metrics-fd", "{metrics}"]
        sockets += ["console", "metrics"]
    stop_s = place.settings.drain_s + _STOP_MARGIN_S
    return Child(name, argv, list(_EVERYBODY), sockets, reports=True, stage=0, stop_s=stop_s, overlaps=True)


def _nats(place: Place) -> Child:
    argv = [
        sys.executable, "-P", "-m", "dayfly.queue.server", place.nats.path, "--run", place.run_dir,
        "--store", str(place.data("queue")),
        "--max-store", str(2 * place.settings.queue.store_bytes + _STORE_MARGIN_BYTES),
    ]  # fmt: skip
    return Child(
        "nats", argv, list(_EVERYBODY), [], reports=False, stage=_EGRESS_STAGE, stop_s=_STOP_MARGIN_S, alone=True,
        ends_by=int(signal.SIGTERM),
    )  # fmt: skip


def _queue(place: Place) -> Child:
    argv = [*_module("queue_process", place), "--ready-fd", "{ready}"]
    inherits = [*_EVERYBODY, *_CERTIFICATES]
    stop_s = place.settings.drain_s + _STOP_MARGIN_S
    return Child("queue", argv, inherits, [], reports=True, stage=0, stop_s=stop_s, overlaps=True)


def _module(name: str, place: Place) -> list[str]:
    return [sys.executable, "-P", "-m", f"dayfly.server.{name}", str(settings_file(Path(place.run_dir), place.life))]


def _prefixed(names: Iterable[str], prefixes: tuple[str, ...]) -> list[str]:
    return sorted(name for name in names if name.startswith(prefixes))
