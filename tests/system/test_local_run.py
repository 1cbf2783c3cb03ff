"""`dayfly local-run`: a function at a port of this machine, in a box of a platform that goes with it."""

import http.client
import re
from pathlib import Path

from tests.system.author import Author
from tests.system.driver import children_of

HANDLER = """\
import os
def handle(event, context):
    secret = open("/var/openfaas/secrets/key").read()
    found = [os.environ.get(name) for name in ("OPENFAAS_NAME", "OPENFAAS_NAMESPACE", "STAGE")]
    return {"path": event.path, "query": dict(event.query), "body": event.text, "env": found, "secret": secret}
"""
STACK = "functions: {hello: {lang: python, handler: ./hello, secrets: [key], environment: {STAGE: file}}}\n"


def test_a_function_is_all_there_is_at_its_port(scratch: Path) -> None:
    author = Author(scratch)
    author.write(HANDLER)
    author.write(STACK, "stack.yaml")
    author.write("hush\n", ".secrets/key")
    author.start("--port", "0", "-e", "STAGE=typed", command="local-run")
    try:
        author.sees("hello  revision 1 answers at ")
        found = re.search(r"Starting local-run for: hello on: http://127\.0\.0\.1:(\d+)\n", author.text)
        assert found is not None
        everything = children_of(author.pid)
        connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=30)
        for body in (b"one", (piece for piece in (b"tw", b"o"))):  # the second has no length
            connection.request("POST", "/a/b?x=1", body, headers={"Connection": "keep-alive"})
            answer = connection.getresponse()
            said = answer.read().decode()
            assert (answer.status, answer.getheader("Connection")) == (200, "close")
            assert '"path":"/a/b"' in said.replace(" ", "")
            assert '["hello","openfaas-fn","typed"]' in said.replace(" ", "")
            assert '"secret":"hush"' in said.replace(" ", "")
    finally:
        code = author.end()
    assert code == 0, author.text
    author.left_nothing(everything)
