"""What a host's TLS certificate says: for whom, by whom, and until when."""

import datetime
import http.client
import os
import socket
import ssl
import urllib.parse


def handle(event, context):
    """Return the certificate of the HOST or HOST:PORT in the body as text; as JSON when the path is /json."""
    target = event.body.decode("utf-8", "replace").strip().removeprefix("https://").split("/")[0]
    host, _, port = target.partition(":")
    if not host or not (port or "443").isdigit():
        return {"statusCode": 400, "body": "write a host, for example example.com or example.com:8443\n"}
    try:
        facts = _facts(host, int(port or 443), min(10.0, context.remaining_s))
    except (OSError, http.client.HTTPException) as error:
        return {"statusCode": 502, "body": f"{target[:200]} shows no certificate that can be trusted: {error}\n"}
    if event.path.rstrip("/") == "/json":
        return facts
    return "".join(f"{name}: {value}\n" for name, value in facts.items())


def _facts(host, port, timeout_s):
    with ssl.create_default_context().wrap_socket(_connected(host, port, timeout_s), server_hostname=host) as secured:
        certificate = secured.getpeercert()
        version = secured.version()
    ends = datetime.datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), datetime.UTC)
    names = dict(part[0] for part in certificate["subject"])
    issuer = dict(part[0] for part in certificate["issuer"])
    return {
        "Host": host,
        "CommonName": names.get("commonName", ""),
        "SANs": ", ".join(name for _kind, name in certificate.get("subjectAltName", ())),
        "Issuer": issuer.get("organizationName") or issuer.get("commonName", ""),
        "NotAfter": ends.isoformat(),
        "DaysLeft": (ends - datetime.datetime.now(datetime.UTC)).days,
        "TLS": version,
    }


def _connected(host, port, timeout_s):
    """Return a connection, through the function's proxy where there is one."""
    proxy = urllib.parse.urlsplit(os.environ.get("HTTPS_PROXY", ""))
    if not proxy.hostname:
        return socket.create_connection((host, port), timeout_s)
    tunnel = http.client.HTTPConnection(proxy.hostname, proxy.port, timeout=timeout_s)
    tunnel.set_tunnel(host, port)
    tunnel.connect()
    return tunnel.sock
