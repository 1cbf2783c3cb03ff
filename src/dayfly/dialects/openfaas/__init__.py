"""OpenFaaS's API as its clients expect it, down to status codes and texts.

`faas-cli`, the Go SDK and scripts written against OpenFaaS decide by exact status codes (a 201 for a deployment is a
failure to them), print error bodies as they are, and send the namespace in the body or in the query. Every module here
is one resource; `mapping` says what their documents mean in ours, `wire` what they look like.
"""

from dayfly.dialects.openfaas import alerts, builder, functions, info, logs, namespaces, scaling, secrets, store

ROUTES = (
    *functions.routes,
    *scaling.routes,
    *secrets.routes,
    *alerts.routes,
    *namespaces.routes,
    *info.routes,
    *logs.routes,
    *builder.routes,
    *store.routes,
)
