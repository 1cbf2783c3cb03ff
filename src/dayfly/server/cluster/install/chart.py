"""The Helm chart: the objects of `manifests` for values that only Helm knows, and what Helm wants beside them.

    python -m dayfly.server.cluster.install.chart [FOLDER]

writes it anew to deploy/chart/dayfly.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from dayfly import __version__
from dayfly.cluster.schema import crds
from dayfly.server.cluster.install import values_file
from dayfly.server.cluster.install.choices import Expression, Node
from dayfly.server.cluster.install.manifests import Credentials, groups
from dayfly.server.cluster.install.template import document
from dayfly.server.cluster.install.values import Values
from dayfly.server.cluster.names import (
    ADMIN_PASSWORD,
    ADMIN_SECRET,
    CA,
    CERT,
    CONSOLE,
    CONTROL,
    GATEWAY,
    INTERNAL_SECRET,
    KEY,
    PASSAGE_TOKEN,
    QUEUE_PASSWORD,
    QUEUE_ROUTE_PASSWORD,
    QUEUE_SYSTEM_PASSWORD,
    SUPPORTED_MINORS,
    TOKEN_KEY,
)

FOLDER = Path("deploy/chart/dayfly")
_S = TypeVar("_S", bound=msgspec.Struct)
_ROOT = "$.Values"
_HEAD = "{{- /* Written by python -m dayfly.server.cluster.install.chart; change that. */}}\n"
_CHART = f"""\
apiVersion: v2
name: dayfly
description: Serverless functions on one machine or many.
type: application
version: {__version__}
appVersion: "{__version__}"
kubeVersion: ">={SUPPORTED_MINORS[0]}.0-0"
home: https://github.com/dayfly/dayfly
keywords: [serverless, functions, faas]
"""
_NOTES = f"""\
Dayfly {{{{ .Chart.AppVersion }}}} is on its way up in the namespace {{{{ .Release.Namespace }}}}.

Wait for it:
  kubectl -n {{{{ .Release.Namespace }}}} rollout status deployment/{GATEWAY}
Log in, with your own rights in the cluster:
  dayfly login --kubernetes --namespace {{{{ .Release.Namespace }}}}
Or look at the console, http://127.0.0.1:8081:
  kubectl -n {{{{ .Release.Namespace }}}} port-forward service/{CONSOLE} 8081:80
The password of `admin`:
  kubectl -n {{{{ .Release.Namespace }}}} get secret {ADMIN_SECRET} -o jsonpath='{{.data.{ADMIN_PASSWORD}}}' | base64 -d
{{{{- if not .Values.createNamespace }}}}

The namespace is not this release's, so its Pod Security level is yours to set:
  kubectl label namespace {{{{ .Release.Namespace }}}} pod-security.kubernetes.io/enforce=restricted
{{{{- end }}}}
"""
_NO_MIXING = "functions: this is where the platform itself is; functions go elsewhere. Name other namespaces."
_PROLOGUES = {
    "namespaces": f"""\
{{{{- if has $.Release.Namespace (append $.Values.functions.namespaces $.Values.functions.namespace) }}}}
{{{{- fail "{_NO_MIXING}" }}}}
{{{{- end }}}}
""",
    "credentials": f"""\
{{{{- $admin := (lookup "v1" "Secret" $.Release.Namespace "{ADMIN_SECRET}").data | default dict }}}}
{{{{- $internal := (lookup "v1" "Secret" $.Release.Namespace "{INTERNAL_SECRET}").data | default dict }}}}
{{{{- $namespaced := printf "{CONTROL}.%s" $.Release.Namespace }}}}
{{{{- $hosts := list "{CONTROL}" $namespaced (printf "%s.svc" $namespaced) }}}}
{{{{- $ca := genCA "dayfly" 3650 }}}}
{{{{- $signed := genSignedCert "{CONTROL}" nil $hosts 3650 $ca }}}}
{{{{- $made := dict "{CA}" (b64enc $ca.Cert) "{CERT}" (b64enc $signed.Cert) "{KEY}" (b64enc $signed.Key) }}}}
{{{{- $pair := ternary $internal $made (hasKey $internal "{KEY}") }}}}
""",
}


def files() -> dict[str, str]:
    """Return the chart's files by their paths in its folder."""
    made = {
        "Chart.yaml": _CHART,
        "values.yaml": values_file.text(),
        "values.schema.json": json.dumps(values_file.schema(), indent=2) + "\n",
        "templates/NOTES.txt": _NOTES,
    }
    for name, nodes in groups(_symbols(Values(), _ROOT), _credentials(), crds()).items():
        made[f"templates/{name}.yaml"] = _template(name, nodes)
    return made


def _template(name: str, nodes: Sequence[Node]) -> str:
    return _HEAD + _PROLOGUES.get(name, "") + "".join(document(node) for node in nodes)


def _symbols(defaults: _S, path: str) -> _S:
    """Return such a struct with an expression for each field."""
    found: dict[str, object] = {}
    for field in msgspec.structs.fields(type(defaults)):
        default, place = getattr(defaults, field.name), f"{path}.{field.encode_name}"
        if isinstance(default, msgspec.Struct):
            found[field.name] = _symbols(default, place)
        else:
            is_number = isinstance(default, int) and not isinstance(default, bool)
            found[field.name] = Expression.of(f"int {place}" if is_number else place)
    if isinstance(defaults, Values):
        found["namespace"] = Expression.of("$.Release.Namespace")
    return msgspec.structs.replace(defaults, **found)


def _credentials() -> Credentials:
    def random(*keys: str) -> Expression:
        kept = " ".join(f'(index $internal "{key}")' for key in keys)
        return Expression.of(f'coalesce {kept} (printf "w%s" (randAlphaNum 40) | b64enc)')

    given, kept = "(b64enc $.Values.auth.password)", f'(index $admin "{ADMIN_PASSWORD}")'
    return Credentials(
        password=Expression.of(f'coalesce {given} {kept} (printf "w%s" (randAlphaNum 40) | b64enc)'),
        link_token=random(PASSAGE_TOKEN),
        token_key=Expression.of(f'coalesce (index $internal "{TOKEN_KEY}") (randBytes 32)'),
        queue_password=random(QUEUE_PASSWORD),
        queue_system_password=random(QUEUE_SYSTEM_PASSWORD),
        queue_route_password=random(QUEUE_ROUTE_PASSWORD, QUEUE_SYSTEM_PASSWORD),
        ca=Expression.of(f'index $pair "{CA}"'),
        cert=Expression.of(f'index $pair "{CERT}"'),
        key=Expression.of(f'index $pair "{KEY}"'),
    )


def write(folder: Path, made: Mapping[str, str]) -> None:
    """Have these files in the folder, and no other templates."""
    for path in folder.glob("templates/*"):
        if f"templates/{path.name}" not in made:
            path.unlink()
    for name, text in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER, files())
