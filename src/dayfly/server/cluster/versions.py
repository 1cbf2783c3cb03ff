"""Which versions of a cluster, and of our kinds in it, this version of Dayfly works with.

`dayfly install` asks kubectl and a control plane asks the API server when it starts; both hear the same.
"""

from collections.abc import Mapping

from dayfly import __version__
from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import CUSTOM_RESOURCE_DEFINITION, GROUP, OURS, STORED_VERSION, Object
from dayfly.model.errors import ConfigError, NotFound
from dayfly.server.cluster.names import SUPPORTED_MINORS

VERSION = "app.kubernetes.io/version"
"""On our kinds: the version of Dayfly that they are of."""


def minor_of(told: Mapping[str, str]) -> int:
    """Return the minor version that `/version` tells: 36 of `36` or `36+`."""
    digits = "".join(letter for letter in told.get("minor", "") if letter.isdigit())
    return int(digits or 0)


def judge_server(minor: int) -> str:
    """Return what is odd about a cluster's version, if anything is. Raises ConfigError for one that is too old."""
    oldest, newest = (int(each.partition(".")[2]) for each in (SUPPORTED_MINORS[0], SUPPORTED_MINORS[-1]))
    if minor < oldest:
        raise ConfigError(
            f"The cluster runs Kubernetes 1.{minor}; this version of Dayfly needs 1.{oldest} or later.",
            hint="Upgrade the cluster, or install an older version of Dayfly.",
        )
    if minor > newest:
        return f"The cluster runs Kubernetes 1.{minor}; this version of Dayfly was tested up to 1.{newest}."
    return ""


async def check(api: Connection) -> list[str]:
    """Return what is odd, in sentences. Raises ConfigError for what cannot be worked with, and StoreUnavailable."""
    odd = [judge_server(minor_of(await api.ask("/version")))]
    await _check_served(api)
    # Who may work in some namespaces alone is told which kinds are served, and not what they are.
    found = [] if api.namespaces else [await _kind_version(api, kind.plural) for kind in OURS]
    others = {version for version in found if version != __version__}
    if others:
        told = ", ".join(sorted(each or "an unknown version" for each in others))
        odd.append(
            f"Kinds of {GROUP} in the cluster are of Dayfly {told}, and this control plane is of {__version__}: what"
            " only one of them knows is not kept. `dayfly install` makes them one."
        )
    return [each for each in odd if each]


async def _check_served(api: Connection) -> None:
    try:
        told = await api.ask(f"/apis/{GROUP}/{STORED_VERSION}")
    except NotFound:
        told = {"resources": []}
    lacking = {kind.plural for kind in OURS} - {each["name"] for each in told["resources"]}
    if lacking:
        raise ConfigError(
            f"The cluster does not serve {', '.join(sorted(lacking))} of {GROUP}/{STORED_VERSION}, which this version"
            " of Dayfly writes.",
            hint="`dayfly install` makes them.",
        )


async def _kind_version(api: Connection, plural: str) -> str:
    found: Object = await api.get(CUSTOM_RESOURCE_DEFINITION, f"{plural}.{GROUP}")
    return str(found["metadata"].get("labels", {}).get(VERSION, ""))
