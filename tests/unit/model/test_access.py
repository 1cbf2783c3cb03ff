"""The table of rights, whole: what it says is what anybody may do."""

import itertools
from typing import get_args

import pytest

from dayfly.model.access import RIGHTS, ROLES, Access, Principal, Role, may
from dayfly.model.names import parse_namespace

ACCESSES: tuple[Access, ...] = get_args(Access)
READING, CHANGING = ("GET", "HEAD", "OPTIONS"), ("POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "get", "")
MAY: dict[Role, set[tuple[Access, str]]] = {
    "query": {("public", "read"), ("public", "change"), ("known", "read"), ("known", "change"), ("look", "read"),
              ("look", "change")},
    "view": {("public", "read"), ("public", "change"), ("known", "read"), ("known", "change"), ("deploy", "read"),
             ("look", "read"), ("look", "change")},
    "invoke": {("public", "read"), ("public", "change"), ("known", "read"), ("known", "change"), ("invoke", "read"),
               ("invoke", "change")},
    "deploy": {("public", "read"), ("public", "change"), ("known", "read"), ("known", "change"), ("invoke", "read"),
               ("invoke", "change"), ("look", "read"), ("look", "change"), ("deploy", "read"), ("deploy", "change"),
               ("payloads", "read"),
               ("payloads", "change")},
    "admin": {("public", "read"), ("public", "change"), ("known", "read"), ("known", "change"), ("invoke", "read"),
              ("invoke", "change"), ("look", "read"), ("look", "change"), ("deploy", "read"), ("deploy", "change"),
               ("payloads", "read"),
              ("payloads", "change"), ("admin", "read"), ("admin", "change")},
}  # fmt: skip


@pytest.mark.parametrize(("role", "access"), [*itertools.product(ROLES, ACCESSES)])
def test_a_role_may_what_is_written_here_and_nothing_else(role: Role, access: Access) -> None:
    for method in READING:
        assert may(role, access, method) is ((access, "read") in MAY[role]), method
    for method in CHANGING:
        assert may(role, access, method) is ((access, "change") in MAY[role]), method


def test_the_table_has_a_word_for_every_role_and_access() -> None:
    assert RIGHTS.keys() == {*ROLES}
    assert all(row.keys() == {*ACCESSES} for row in RIGHTS.values())


def test_a_principal_of_one_namespace_sees_no_other() -> None:
    tenant, everywhere = Principal("t", "admin", parse_namespace("team")), Principal("a", "view", None)
    assert [tenant.sees(name) for name in ("team", "tea", "", "openfaas-fn")] == [True, False, False, False]
    assert everywhere.sees("team")
    assert (tenant.is_everywhere, everywhere.is_everywhere) == (False, True)
