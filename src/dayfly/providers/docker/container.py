"""What the engine is asked to make: a porter's container and a function's, each with all it may not do. Pure.

A function's container gets no network but the porter's, no capability, no new privileges, a root that is read-only but
for a sized /tmp in memory, a user that is not root, limits of memory, processor and processes as every replica has
them, and the engine's own filter of system calls. It is shown nothing of this machine but its secrets and an /etc/hosts
that leads to its doors.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from dayfly.model.egress import parse_grant
from dayfly.model.replica import StartOrder
from dayfly.providers.docker.images import Image
from dayfly.providers.docker.porter import FUNCTION_PORT
from dayfly.runtimes.jail.loopback import PROXY_PORT, is_loopback
from dayfly.runtimes.jail.network import Doors, proxy_environ
from dayfly.runtimes.python.confine import function_uid
from dayfly.runtimes.python.limits import limits_of, tmp_of

Document = dict[str, Any]

INSTALLATION, ROLE, REPLICA, ORDER = "dayfly.installation", "dayfly.role", "dayfly.replica", "dayfly.order"
SECRETS_DIR = "/var/openfaas/secrets"
FILE_BYTES = 1 << 30
PORTER_FILES = 256
LOG_BYTES, LOG_FILES = 10 << 20, 2
"""What the engine keeps of a container's output on its disk."""
PORTER_MEMORY_BYTES, PORTER_PROCESSES = 64 << 20, 8
_OF_ROOT = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID")
"""What a root in a container may, where that was granted: own files, and become somebody else."""
_WATCHDOG_MARGIN_S = 1.0
"""How much longer than a call a watchdog may take to read and write, so that it is the call that is timed out."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all containers of one platform."""

    installation: str
    """Tells our containers from everybody else's, another platform's on the same engine included."""
    interpreter: str
    """The Python that porters run, and the folders it takes, shown to them read-only."""
    visible: tuple[str, ...]
    package_root: str
    porter_program: str
    porter_user: str
    """Who porters are, as the engine understands it."""
    porter_becomes: int
    """Who they are after they have had to be root for a moment."""
    is_podman: bool = False
    """Podman takes a size alone for a folder in memory, and a host name for a container that joins a network."""


def names(place: Place, replica: str) -> tuple[str, str]:
    """Return what the function's container and its porter's are called."""
    name = f"dayfly-{place.installation}-{replica}"
    return name, f"{name}-porter"


def porter(place: Place, order: StartOrder, image: str, sockets: str) -> Document:
    """Return the porter's container for a replica, whose sockets go into the folder `sockets`."""
    doors, listens = exits(order)
    as_root = any(not is_loopback(address) for address, _ in doors.places)
    command = ["-I", "-S", place.porter_program, "--path", place.package_root, "--folder", "/porter"]
    for address, port in listens:
        command += ["--listen", f"{address}:{port}"]
    if as_root:
        command += ["--become", str(place.porter_becomes)]
    return {
        "Image": image,
        "Hostname": order.replica,
        "User": "0:0" if as_root else place.porter_user,
        "Entrypoint": [place.interpreter],
        "Cmd": command,
        "Env": [],
        "WorkingDir": "/",
        "Labels": _labels(place, order, "porter"),
        "HostConfig": {
            **_fenced(PORTER_FILES),
            # An address is put on the loopback before the porter becomes who it is otherwise.
            "CapAdd": ["NET_ADMIN", "SETUID", "SETGID"] if as_root else [],
            "NetworkMode": "bridge" if order.network == "host" else "none",
            "Memory": PORTER_MEMORY_BYTES,
            "MemorySwap": PORTER_MEMORY_BYTES,
            "PidsLimit": PORTER_PROCESSES,
            "Mounts": [
                *(_shown(folder, folder) for folder in place.visible),
                _shown(sockets, "/porter", read_only=False),
            ],
        },
    }


def function(
    place: Place, order: StartOrder, image: Image, *, porter_id: str, user: str, hosts: str, secrets: str = ""
) -> Document:
    """Return the function's container, in the network of the porter's.

    `hosts` is the file that it finds as /etc/hosts, `secrets` the folder that holds its secrets, if it has any.

    `user` is who it runs as; empty leaves it to the image.
    """
    limits = limits_of(order)
    writable = _writable(place, order, user or image.user)
    return {
        "Image": order.image,
        "User": user,
        "Env": [
            f"{name}={value}" for name, value in environ(order, image, has_secrets=bool(secrets), user=user).items()
        ],
        "Labels": _labels(place, order, "function") | {ORDER: order_label(order)},
        # With Docker it has its porter's, and may not be told another.
        **({"Hostname": order.replica} if place.is_podman else {}),
        "AttachStdin": False,
        "OpenStdin": False,
        "Tty": False,
        "HostConfig": {
            **_fenced(order.ceilings.open_files),
            "CapAdd": list(_OF_ROOT) if order.as_root else [],
            "NetworkMode": f"container:{porter_id}",
            "Memory": limits.memory_bytes,
            "MemorySwap": limits.memory_bytes,
            "NanoCpus": limits.cpu_millicores * 1_000_000,
            "PidsLimit": limits.processes,
            # Volumes that an image declares would be folders on the engine's disk, of any size.
            "Tmpfs": dict.fromkeys(("/tmp", *image.volumes), writable),  # noqa: S108 - inside the container
            "Mounts": [_shown(hosts, "/etc/hosts"), *([_shown(secrets, SECRETS_DIR)] if secrets else [])],
        },
    }


def _writable(place: Place, order: StartOrder, user: str) -> str:
    """Return how a folder in memory is mounted for the user: `UID:GID`, or a name that only the image knows."""
    size, inodes = tmp_of(order)
    options = f"rw,exec,nosuid,nodev,mode=1777,size={size}"
    uid, _, gid = user.partition(":")
    if place.is_podman:
        return options
    options += f",nr_inodes={inodes}"
    if uid.isdigit():
        # Docker gives the folder the mode of the image's folder under it, so that it must be the function's own.
        options += f",uid={uid},gid={gid if gid.isdigit() else uid}"
    return options


def exits(order: StartOrder) -> tuple[Doors, list[tuple[str, int]]]:
    """Return the doors of a replica's network, and where its porter is to listen: first for the proxy."""
    grants = [parse_grant(text) for text in order.allow] if order.network == "proxy" else []
    doors = Doors([grant for grant in grants if grant.kind == "tcp"])
    return doors, [("127.0.0.1", PROXY_PORT), *doors.places] if grants else []


def environ(order: StartOrder, image: Image, *, has_secrets: bool, user: str) -> dict[str, str]:
    """Return the variables that are set beside, and over, those of the image."""
    span = f"{order.timeout_s:g}s"
    longer = f"{order.timeout_s + _WATCHDOG_MARGIN_S:g}s"
    found = {
        "PORT": str(FUNCTION_PORT),
        "exec_timeout": span,
        "read_timeout": longer,
        "write_timeout": longer,
        # A watchdog told to end would go on for as long as a load balancer may take to hear of it. Ours has heard.
        "healthcheck_interval": "1s",
    }
    if order.process:
        found["fprocess"] = order.process
    if user and not image.env.get("HOME"):
        found["HOME"] = "/tmp"  # noqa: S108 - inside the container; a user without an entry in its accounts has no home
    doors, listens = exits(order)
    if listens:
        found |= proxy_environ(PROXY_PORT, doors.names)
    found |= order.env
    found |= {
        "OPENFAAS_NAME": order.key.name,
        "OPENFAAS_NAMESPACE": order.key.namespace,
        "DAYFLY_FUNCTION": order.key.name,
        "DAYFLY_NAMESPACE": order.key.namespace,
        "DAYFLY_REVISION": str(order.revision),
        "DAYFLY_TIMEOUT_SECONDS": f"{order.timeout_s:g}",
    }
    return found | ({"DAYFLY_SECRETS": SECRETS_DIR} if has_secrets else {})


def own_user(order: StartOrder) -> str:
    """Return the user and group of a function whose image names none: its own, 20000 to 59999, as other functions'."""
    uid = function_uid(str(order.key))
    return f"{uid}:{uid}"


def order_label(order: StartOrder) -> str:
    """Return the order as a label holds it: without the secrets, since whoever may use the engine reads labels."""
    return msgspec.json.encode(order.without_contents()).decode()


def order_in(labels: Mapping[str, str], secrets: Mapping[str, bytes]) -> StartOrder:
    """Return the order that a container was made for. Raises msgspec.DecodeError, KeyError."""
    order = msgspec.json.decode(labels[ORDER], type=StartOrder)
    return msgspec.structs.replace(order, secrets=dict(secrets))


def _labels(place: Place, order: StartOrder, role: str) -> dict[str, str]:
    return {
        INSTALLATION: place.installation,
        ROLE: role,
        REPLICA: order.replica,
        "dayfly.function": str(order.key),
        "dayfly.revision": str(order.revision),
    }


def _fenced(open_files: int) -> Document:
    return {
        "ReadonlyRootfs": True,
        "Privileged": False,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "IpcMode": "private",
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": False,
        "Ulimits": [
            _ulimit("nofile", open_files),
            _ulimit("fsize", FILE_BYTES),
            _ulimit("core", 0),
        ],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": str(LOG_BYTES), "max-file": str(LOG_FILES)}},
    }


def _ulimit(name: str, most: int) -> Document:
    return {"Name": name, "Soft": most, "Hard": most}


def _shown(source: str, target: str, *, read_only: bool = True) -> Document:
    return {"Type": "bind", "Source": source, "Target": target, "ReadOnly": read_only}


def is_root(user: str) -> bool:
    """Whether an image's user is root, or says so; what a name stands for is found in the image's accounts."""
    name = user.partition(":")[0]
    return not name or name == "root" or (name.isdigit() and int(name) == 0)


def uid_in(accounts: Sequence[str], name: str) -> int | None:
    """Return the uid of a name in the lines of an image's /etc/passwd; None when it is not there."""
    for line in accounts:
        fields = line.split(":")
        if len(fields) > 2 and fields[0] == name and fields[2].isdigit():
            return int(fields[2])
    return None
