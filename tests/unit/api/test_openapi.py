"""The API's description is valid, complete and made of what decodes the requests."""

import json

import msgspec
from openapi_spec_validator import OpenAPIV31SpecValidator

from dayfly.api.functions import DeployRequest
from dayfly.api.native import ROUTES, document
from dayfly.model.function import FunctionSpec

DOCUMENT = json.loads(msgspec.json.encode(document()))


def test_it_is_valid() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_it_has_every_native_route_and_none_of_the_other_face() -> None:
    described = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    native = [route for route in ROUTES if route.errors == "problem"]  # and Prometheus has described its own
    assert {(route.method, route.path) for route in native} <= described
    assert not [path for _, path in described if path.startswith("/system")]
    operations = [operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    assert len(operations) == len(set(operations))


def test_a_request_body_has_the_fields_of_its_struct() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert set(schemas["DeployRequest"]["properties"]) == set(FunctionSpec.__struct_fields__)
    assert schemas["DeployRequest"]["additionalProperties"] is False
    put = DOCUMENT["paths"]["/v1/namespaces/{namespace}/functions/{name}"]["put"]
    reference = put["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert reference == f"#/components/schemas/{DeployRequest.__name__}"


def test_only_public_operations_need_no_credential() -> None:
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            assert (operation.get("security") == []) is (operation["x-access"] == "public")
