"""What an installation takes away that other values have left."""

from tests.unit.server.cluster.making import made

from dayfly.server.cluster.install.applying import place_of, unwanted
from dayfly.server.cluster.install.credentials import make_credentials
from dayfly.server.cluster.install.manifests import objects
from dayfly.server.cluster.install.values import decode


def test_the_way_out_is_taken_away_when_functions_shall_have_none() -> None:
    values = decode({"functions": {"egress": "none"}})
    nodes = objects(values, make_credentials(values.namespace, "", {}, {}), [])
    left = {place_of(node) for node in made("plain", [])} - {place_of(node) for node in nodes}
    assert {name for _, _, name in left} == {"dayfly-functions-proxy", "dayfly-functions-host"}
    assert left <= {place_of(node) for node in unwanted(values, nodes, [])}
