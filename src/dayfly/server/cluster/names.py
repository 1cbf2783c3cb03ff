"""What the manifests say to the processes that run in them: names, ports, files and variables, in one place.

A process finds its settings in variables, and what is secret in files below CREDENTIALS, one for each key of the
Secret; it gets those keys only that it needs. Its root file system is read-only; /tmp and DATA are its own, and as
lasting as its pod. What runs functions has names of its own: see `providers.kubernetes.pool` and `.marks`.

| variable | whose | what |
|---|---|---|
| DAYFLY_POD_NAME, DAYFLY_POD_NAMESPACE, DAYFLY_POD_IP | control, gateway | the pod itself |
| DAYFLY_FUNCTIONS_NAMESPACE | control | the namespace of the pods that run functions |
| DAYFLY_FUNCTION_NAMESPACES | control | the only namespaces of functions that it may work in, if there are such |
| DAYFLY_CONTROL_HOST | gateway | the Service behind which the control plane is that holds the Lease |
| DAYFLY_QUEUE_HOST | control | the queue's Service |
| DAYFLY_DATA_DIR | control, gateway | DATA |
| DAYFLY_TLS_CERT, DAYFLY_TLS_KEY | gateway | the certificate that callers see, where one was given |
"""

from typing import Final

SYSTEM_NAMESPACE: Final = "dayfly"
"""Where an installation goes unless told otherwise."""
FUNCTIONS_NAMESPACE: Final = "dayfly-functions"
"""Where the pods of functions go unless told otherwise."""
BOUNDS: Final = "DAYFLY_FUNCTION_NAMESPACES"
"""The variable that names the only namespaces of functions, with commas between them."""

CONTROL: Final = "dayfly-control"
GATEWAY: Final = "dayfly-gateway"
CONSOLE: Final = "dayfly-console"
OBSERVER: Final = "dayfly-observer"
"""The volume of what is known of the past, where one was asked for."""
QUEUE: Final = "dayfly-queue"
QUEUE_CONFIG: Final = "dayfly-queue"
ADMIN_SECRET: Final = "dayfly-admin"  # noqa: S105 - the name of an object
INTERNAL_SECRET: Final = "dayfly-internal"  # noqa: S105 - the name of an object
LEASE: Final = "dayfly-control"

LEADER_LABEL: Final = "dayfly.dev/leader"
"""On the pod of the control plane that holds the Lease, with the value `true`; its Service looks for it."""

GATEWAY_PORT: Final = 8080
"""Functions, routes and the API; HTTPS when a certificate was given."""
CONSOLE_PORT: Final = 8081
METRICS_PORT: Final = 8082
PASSAGE_PORT: Final = 9083
"""The control plane's, where gateways come in for everything: TLS, with the certificate of INTERNAL_SECRET."""
HEALTH_PORT: Final = 9090
"""Plain HTTP: /live while the process works, /ready when it serves or stands by for the one that does."""
NATS_PORT: Final = 4222
NATS_CLUSTER_PORT: Final = 6222
NATS_MONITOR_PORT: Final = 8222

NATS_SERVER: Final = "/opt/dayfly/bin/nats-server"
"""Where the image has it."""
DATA: Final = "/var/lib/dayfly"
CREDENTIALS: Final = "/etc/dayfly/credentials"
CERTIFICATE: Final = "/etc/dayfly/tls"

ADMIN_USER: Final = "username"
ADMIN_PASSWORD: Final = "password"  # noqa: S105 - a key of ADMIN_SECRET
PASSAGE_TOKEN: Final = "link-token"  # noqa: S105 - a key of INTERNAL_SECRET
TOKEN_KEY: Final = "token-key"  # noqa: S105 - a key of INTERNAL_SECRET
QUEUE_PASSWORD: Final = "queue-password"  # noqa: S105 - a key of INTERNAL_SECRET
QUEUE_SYSTEM_PASSWORD: Final = "queue-system-password"  # noqa: S105 - a key of INTERNAL_SECRET
QUEUE_ROUTE_PASSWORD: Final = "queue-route-password"  # noqa: S105 - a key of INTERNAL_SECRET
"""Of the queue's servers, for each other; the two before it may be changed while everything runs, this one not."""
CA, CERT, KEY = "ca.crt", "tls.crt", "tls.key"
"""Of the certificate that the control plane shows to gateways; it is for CONTROL's Service."""

SUPPORTED_MINORS: Final = ("1.33", "1.34", "1.35", "1.36", "1.37")
"""Kubernetes's minor versions that this version of Dayfly is for: the manifests are checked against each."""
