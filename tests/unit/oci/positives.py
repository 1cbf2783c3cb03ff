"""Credentials that were never given to anybody, made when they are needed: a way to write each kind down.

They are put together from parts, so that no scanner takes this file for a leak.
"""

import string
from collections.abc import Callable

import msgspec
from hypothesis import strategies as st

WORD = string.ascii_letters + string.digits
BASE64 = WORD + "+/"
URL_SAFE = WORD + "_-"
HEX = string.digits + "abcdef"
BASE32 = string.ascii_uppercase + "234567"


class Positive(msgspec.Struct, frozen=True):
    """A credential in a file."""

    rule: str
    text: st.SearchStrategy[str]
    file: str = "settings.txt"


def some(alphabet: str, size: int) -> st.SearchStrategy[str]:
    """Text as random as a credential is: no letter comes up much more often than another."""
    return st.randoms(use_true_random=False).map(lambda dice: "".join(dice.sample(alphabet * 4, size)))


def mixed(prefix: str, alphabet: str, size: int, suffix: str = "") -> st.SearchStrategy[str]:
    """Return the same with digits in it for sure, as a guess wants them."""
    return form(f"{prefix}4a2", alphabet, size - 3, suffix)


def form(prefix: str, alphabet: str, size: int, suffix: str = "") -> st.SearchStrategy[str]:
    """Return a prefix with random text behind it."""
    return some(alphabet, size).map(lambda body: prefix + body + suffix)


def between(text: str, body: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return the text with the body where it says `@`."""
    write: Callable[[str], str] = lambda body: text.replace("@", body)  # noqa: E731
    return body.map(write)


POSITIVES = (
    Positive("private-key", between("-----BEGIN PRIV" + "ATE KEY-----\n@\n", some(BASE64, 64))),
    Positive("private-key", between('"-----BEGIN RSA PRIV' + 'ATE KEY-----\\n@\\n"', some(BASE64, 64))),
    Positive("private-key", between("-----BEGIN OPENSSH PRIV" + "ATE KEY-----\r\n@\r\n", some(BASE64, 64))),
    Positive("private-key", between("-----BEGIN PGP PRIV" + "ATE KEY BLOCK-----\n\n@\n", some(BASE64, 64))),
    Positive("age-key", form("AGE-SECRET" + "-KEY-1", BASE32, 58)),
    Positive("dayfly-token", some(string.ascii_lowercase, 12).flatmap(lambda name: form(f"dayfly_{name}_", WORD, 43))),
    Positive("dayfly-builder-secret", form("dayfly_" + "builder_", URL_SAFE, 43)),
    Positive("aws-access-key", form("AK" + "IA", BASE32, 16)),
    Positive("aws-access-key", form("AS" + "IA", BASE32, 16)),
    Positive("aws-secret-key", form("aws_secret_access_key = ", BASE64, 40), "credentials"),
    Positive("aws-secret-key", form('"SecretAccessKey": "', BASE64, 40, '"'), "keys.json"),
    Positive("google-api-key", form("AI" + "za", URL_SAFE, 35)),
    Positive("google-oauth-secret", form("GOC" + "SPX-", URL_SAFE, 28)),
    Positive("azure-key", form("AccountName=x;AccountKey=", BASE64, 86, "==;")),
    Positive("azure-key", form("SharedAccessKeyName=x;SharedAccessKey=", BASE64, 43, "=")),
    Positive("azure-client-secret", some(WORD, 3).flatmap(lambda head: form(f"{head}8Q~", WORD, 34))),
    Positive("github-token", form("gh" + "p_", WORD, 36)),
    Positive("github-token", form("gh" + "s_", WORD, 36)),
    Positive("github-token", some(WORD, 22).flatmap(lambda head: form(f"github_{'pat'}_{head}_", WORD, 59))),
    Positive("gitlab-token", form("gl" + "pat-", WORD, 20)),
    Positive("gitlab-token", form("gl" + "rt-", WORD, 20)),
    Positive("slack-token", form("xo" + "xb-123456789012-1234567890123-", WORD, 24)),
    Positive("slack-token", form("xa" + "pp-1-A0123456789-1234567890123-", HEX, 64)),
    Positive("slack-webhook", form("https://hooks.slack" + ".com/services/T01234567/B01234567/", WORD, 24)),
    Positive("stripe-key", form("sk_" + "live_", WORD, 24)),
    Positive("stripe-key", form("rk_" + "live_", WORD, 99)),
    Positive("npm-token", form("np" + "m_", WORD, 36)),
    Positive("pypi-token", form("pypi-" + "AgEIcHlwaS5vcmc", URL_SAFE, 120)),
    Positive("docker-token", form("dckr_" + "pat_", URL_SAFE, 27)),
    Positive("digitalocean-token", form("do" + "p_v1_", HEX, 64)),
    Positive("vault-token", form("hv" + "s.", URL_SAFE, 90)),
    Positive("anthropic-key", form("sk-" + "ant-api03-", WORD, 95)),
    Positive("openai-key", some(WORD, 20).flatmap(lambda head: form(f"sk-{head}T3Blbk" + "FJ", WORD, 20))),
    Positive("openai-key", some(WORD, 74).flatmap(lambda head: form(f"sk-proj-{head}T3Blbk" + "FJ", WORD, 74))),
    Positive("huggingface-token", form("h" + "f_", string.ascii_letters, 34)),
    Positive("sendgrid-key", some(WORD, 22).flatmap(lambda head: form(f"SG.{head}.", WORD, 43))),
    Positive("telegram-token", form("1234567890:" + "AA", WORD, 33)),
    Positive("shopify-token", form("shp" + "at_", HEX, 32)),
    Positive("registry-login", form('{"auths": {"registry.test": {"auth": "', BASE64, 24, '"}}}'), "config.json"),
    Positive("kube-config", form("users:\n- name: a\n  user:\n    client-key-data: ", BASE64, 64), "admin.conf"),
    Positive("kube-token", form("kind: Config\nusers:\n- user:\n    token: ", WORD, 32), "config"),
    Positive("npm-login", form("//registry.test/:_authToken=", URL_SAFE, 36), ".npmrc"),
    Positive("netrc", form("machine git.test login me password ", WORD, 12), ".netrc"),
    Positive("index-login", form("[pypi]\nusername = me\npassword = ", WORD, 12), ".pypirc"),
    Positive("env-file", form("DB_PASSWORD=", WORD, 8), ".env"),
    Positive("env-file", form("export API_KEY='", WORD, 12, "'"), "prod.env"),
    Positive("env-file", form("AUTH_TOKEN=", WORD, 12), ".env.production"),
    Positive("basic-auth-url", form("postgres://app:", WORD, 14, "@db.test/app")),
    Positive("assigned-secret", mixed('client_secret = "', WORD, 32, '"'), "app.py"),
    Positive("assigned-secret", mixed('{"apiKey": "', WORD, 32, '"}'), "app.json"),
    Positive("assigned-secret", mixed("const ACCESS_KEY := '", BASE64, 40, "'"), "main.go"),
)
