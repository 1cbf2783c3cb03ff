"""Names are the border that threats T2 and T7 rest on: nothing odd may become a name."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dayfly.model.errors import InvalidName
from dayfly.model.names import (
    DEFAULT_NAMESPACE,
    is_call_id,
    new_call_id,
    new_replica_id,
    parse_bundle_digest,
    parse_env_name,
    parse_function_key,
    parse_function_name,
    parse_namespace,
    parse_replica_id,
    parse_secret_name,
)

HOSTILE = [
    "", ".", "..", "../a", "a/../b", "a/b", "a\\b", "a\n", "a\r\n", "a\0b", "%2e%2e", "．．", "A", "CON ", "a b",
    "-a", "a-", "a_b", "a.b", "á", "１", "٣", "a" * 64, "a;b", "$(x)", "`x`", "a\u202eb", "a\tb", "~", "*",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_no_function_name(text: str) -> None:
    with pytest.raises(InvalidName):
        parse_function_name(text)


@pytest.mark.parametrize("text", [text for text in HOSTILE if text])
def test_hostile_text_is_no_namespace(text: str) -> None:
    with pytest.raises(InvalidName):
        parse_namespace(text)


@pytest.mark.parametrize("text", ["a", "a" * 63, "hello", "a-b", "0", "9a"])
def test_labels_are_function_names(text: str) -> None:
    assert parse_function_name(text) == text


def test_key_defaults_to_the_default_namespace() -> None:
    key = parse_function_key("hello")
    assert (key.namespace, key.name, str(key)) == (DEFAULT_NAMESPACE, "hello", "hello.openfaas-fn")
    assert parse_function_key("hello.openfaas-fn") == key


@pytest.mark.parametrize("text", ["hello.", ".ns", ".", "a.b.c", "a..b"])
def test_a_key_with_dots_out_of_place_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        parse_function_key(text)


@given(st.text(max_size=80))
@example("x\n")
def test_whatever_becomes_a_name_is_a_safe_path_segment_and_label(text: str) -> None:
    try:
        name = parse_function_name(text)
    except InvalidName:
        return
    assert 1 <= len(name) <= 63
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@given(st.text(max_size=80))
def test_secret_and_environment_names_never_leave_their_alphabet(text: str) -> None:
    for parse in (parse_secret_name, parse_env_name):
        try:
            name = parse(text)
        except InvalidName:
            continue
        assert name.isascii()
        assert not set(name) & set("/\\\0\n= ")
        assert ".." not in name


def test_digest_and_replica_id_are_exact() -> None:
    digest = "sha256:" + "0a" * 32
    assert parse_bundle_digest(digest) == digest
    for wrong in (digest.upper(), digest + "0", digest[:-1], digest + "\n", "md5:" + "0a" * 32):
        with pytest.raises(InvalidName):
            parse_bundle_digest(wrong)
    replica = new_replica_id()
    assert parse_replica_id(replica) == replica
    for wrong in (replica + "a", replica[:-1], replica[:-1] + "/", replica.upper()):
        with pytest.raises(InvalidName):
            parse_replica_id(wrong)


def test_call_ids_of_callers_are_bounded_and_plain() -> None:
    assert is_call_id(new_call_id())
    assert is_call_id("a.B_c-1")
    for wrong in ("", "a" * 65, "a\r\nX: y", "a b", "ä", "a\n"):
        assert not is_call_id(wrong)
