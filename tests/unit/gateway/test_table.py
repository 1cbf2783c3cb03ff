"""The routing table follows the control plane's messages."""

from dayfly.gateway.metering import Meters
from dayfly.gateway.table import Table
from dayfly.http1.pool import Pool
from dayfly.http1.sieve import Sieve
from dayfly.model.table import Delta, Endpoint, Entry, Snapshot


def table() -> Table:
    return Table(lambda address: Pool(address, Sieve(lambda _: False)), Meters())


def entry(name: str, namespace: str = "openfaas-fn", replica: str = "r1") -> Entry:
    return Entry(name=name, namespace=namespace, endpoints=(Endpoint(replica, f"unix:/{name}.{namespace}", 1),))


def test_a_function_is_found_by_both_its_names() -> None:
    of = table()
    assert not of.known
    of.reset(Snapshot(1, (entry("a"), entry("a", "dev")), "openfaas-fn"))
    assert of.known
    assert of.lanes[b"a"] is of.lanes[b"a.openfaas-fn"]
    assert of.lanes[b"a.dev"] is not of.lanes[b"a"]
    assert set(of.lanes) == {b"a", b"a.openfaas-fn", b"a.dev"}


def test_deltas_change_and_remove() -> None:
    of = table()
    of.reset(Snapshot(1, (entry("a"), entry("b")), "openfaas-fn"))
    kept, gone = of.lanes[b"a"], of.lanes[b"b"]
    of.apply(Delta(2, (entry("a", replica="r2"), entry("c")), ("b.openfaas-fn", "unknown.ns")))
    assert set(of.lanes) == {b"a", b"a.openfaas-fn", b"c", b"c.openfaas-fn"}
    assert of.lanes[b"a"] is kept
    assert kept.seats[0].endpoint.replica == "r2"
    assert gone.removed


def test_removing_a_namesake_leaves_the_default_one() -> None:
    of = table()
    of.reset(Snapshot(1, (entry("a"), entry("a", "dev")), "openfaas-fn"))
    of.apply(Delta(2, (), ("a.dev",)))
    assert set(of.lanes) == {b"a", b"a.openfaas-fn"}


def test_a_second_snapshot_keeps_what_stays() -> None:
    of = table()
    of.reset(Snapshot(1, (entry("a"), entry("b")), "openfaas-fn"))
    lanes, kept, gone = of.lanes, of.lanes[b"a"], of.lanes[b"b"]
    of.reset(Snapshot(9, (entry("a"), entry("c")), "openfaas-fn"))
    assert of.lanes is lanes
    assert of.lanes[b"a"] is kept
    assert not kept.removed
    assert gone.removed
    assert set(of.lanes) == {b"a", b"a.openfaas-fn", b"c", b"c.openfaas-fn"}


def test_another_default_namespace_renames() -> None:
    of = table()
    of.reset(Snapshot(1, (entry("a"), entry("a", "dev")), "openfaas-fn"))
    of.reset(Snapshot(2, (entry("a"), entry("a", "dev")), "dev"))
    assert of.lanes[b"a"] is of.lanes[b"a.dev"]
