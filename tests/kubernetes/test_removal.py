"""The end: nothing of it is left, and Helm may have the cluster."""

import pytest
from tests.kubernetes.installation import FUNCTIONS, NAMESPACE, Installation

pytestmark = pytest.mark.timeout(600)


def test_uninstalling_leaves_nothing(cluster: Installation) -> None:
    cluster.dayfly("uninstall", "--namespace", NAMESPACE, "--everything")
    names = {each["metadata"]["name"] for each in cluster.objects("namespaces")}
    assert not names & {NAMESPACE, FUNCTIONS}
    for kind in ("crds", "clusterroles", "clusterrolebindings"):
        left = [each["metadata"]["name"] for each in cluster.objects(kind)]
        assert not [name for name in left if ("dayfly" in name and NAMESPACE in name) or name.endswith(".dayfly.dev")]
