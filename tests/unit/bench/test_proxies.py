"""Envoy's configuration: a listener and a cluster for each route, over TCP or a unix socket."""

from pathlib import Path

from bench.proxies import envoy_config


def test_each_route_has_its_listener_and_its_cluster() -> None:
    resources = envoy_config([(1001, 2001), (1002, Path("/r.sock"))])["static_resources"]
    ports = [listener["address"]["socket_address"]["port_value"] for listener in resources["listeners"]]
    endpoints = [
        cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
        for cluster in resources["clusters"]
    ]
    assert ports == [1001, 1002]
    assert endpoints == [
        {"socket_address": {"address": "127.0.0.1", "port_value": 2001}},
        {"pipe": {"path": "/r.sock"}},
    ]
