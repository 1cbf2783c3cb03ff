"""Who may do what in the double: bearer tokens, and the roles and bindings that are kept in it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.cluster.registry import Registry
from tests.cluster.resources import Object, Refused

_RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class User:
    """Whom a token stands for."""

    name: str
    groups: tuple[str, ...] = ()


ADMIN = User("kubernetes-admin", ("system:masters",))


def service_account(namespace: str, name: str) -> User:
    """Return the user that a service account is."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(f"system:serviceaccount:{namespace}:{name}", groups)


@dataclass(frozen=True)
class Deed:
    """What somebody wants to do."""

    verb: str
    group: str
    plural: str
    namespace: str = ""
    name: str = ""
    sub: str = ""

    def refused(self, user: User) -> Refused:
        """Return what the API server says to somebody who may not."""
        what = f"{self.plural}/{self.sub}" if self.sub else self.plural
        full = f"{self.plural}.{self.group}" if self.group else self.plural
        where = f'in the namespace "{self.namespace}"' if self.namespace else "at the cluster scope"
        named = f'{full} "{self.name}"' if self.name else full
        text = f'{named} is forbidden: User "{user.name}" cannot {self.verb} resource "{what}" in API group'
        return Refused(403, "Forbidden", f'{text} "{self.group}" {where}', name=self.name, kind=self.plural)


def may(registry: Registry, user: User, deed: Deed) -> bool:
    """Whether a role that is bound to the user allows it."""
    if "system:masters" in user.groups:
        return True
    rules: list[Object] = []
    for binding in registry.all(registry.find(_RBAC, "v1", "clusterrolebindings")):
        if _names(binding, user):
            rules += _rules(registry, binding, "")
    if deed.namespace:
        for binding in registry.all(registry.find(_RBAC, "v1", "rolebindings"), deed.namespace):
            if _names(binding, user):
                rules += _rules(registry, binding, deed.namespace)
    return any(_allows(rule, deed) for rule in rules)


def _names(binding: Object, user: User) -> bool:
    for subject in binding.get("subjects") or ():
        match subject["kind"]:
            case "ServiceAccount":
                if user.name == f"system:serviceaccount:{subject.get('namespace', '')}:{subject['name']}":
                    return True
            case "User":
                if user.name == subject["name"]:
                    return True
            case "Group":
                if subject["name"] in user.groups:
                    return True
    return False


def _rules(registry: Registry, binding: Object, namespace: str) -> list[Object]:
    ref = binding["roleRef"]
    plural = "clusterroles" if ref["kind"] == "ClusterRole" else "roles"
    try:
        role = registry.get(
            registry.find(_RBAC, "v1", plural), "" if plural == "clusterroles" else namespace, ref["name"]
        )
    except Refused:
        return []
    return list(role.get("rules") or ())


def _allows(rule: Object, deed: Deed) -> bool:
    what = f"{deed.plural}/{deed.sub}" if deed.sub else deed.plural
    return (
        bool({"*", deed.verb} & set(rule["verbs"]))
        and bool({"*", deed.group} & set(rule.get("apiGroups") or ()))
        and bool({"*", what} & set(rule.get("resources") or ()))
        and (not rule.get("resourceNames") or deed.name in rule["resourceNames"])
    )
