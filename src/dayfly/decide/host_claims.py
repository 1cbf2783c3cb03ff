"""Whose a host is, and whether a route may have the place that it asks for.

A host belongs to the namespace that has routes there, or to those that it was granted to. The first route at a host
takes a credential for the whole installation: a host's name says nothing of who may use it, so somebody has to who
answers for all tenants.
"""

from collections.abc import Iterable
from typing import Literal

from dayfly.model.route import HostGrant, RouteSpec, covers

Standing = Literal["may", "taken", "not granted"]


def standing(
    spec: RouteSpec, others: Iterable[RouteSpec], grants: Iterable[HostGrant], *, everywhere: bool
) -> Standing:
    """Return whether the route's namespace may use its host.

    `others` are all other routes, `everywhere` says that who asks has a credential for the whole installation.
    """
    granted = list(grants)
    if any(grant.namespace == spec.namespace and covers(grant.host, spec.host) for grant in granted):
        return "may"
    users = {other.namespace for other in others if other.host == spec.host}
    if spec.namespace in users:
        return "may"
    if not everywhere:
        return "not granted"
    taken = users | {grant.namespace for grant in granted if grant.host == spec.host}
    return "taken" if taken else "may"


def collision(spec: RouteSpec, others: Iterable[RouteSpec]) -> RouteSpec | None:
    """Return the route that has the same place and method already; None when there is none."""
    for other in others:
        if (other.host, other.path) == (spec.host, spec.path) and (
            {*other.methods} & {*spec.methods} or not (other.methods or spec.methods)
        ):
            return other
    return None
