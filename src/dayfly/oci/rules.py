"""What a credential looks like: a rule for each kind, read by `scan`.

A rule with a form of its own (a prefix that its issuer chose, a PEM header) is near to certain and looked for in every
file. A guess goes by the words around a value; it is looked for in text that somebody wrote here, not in what a package
index or a registry gave out. What stands for a credential in documentation (`…EXAMPLE`, `ghp_xxxx…`, `${TOKEN}`) is
none.
"""

import functools
import itertools
import math
import re
from collections import Counter
from fnmatch import fnmatchcase

import msgspec

from dayfly.model import builder, token

_PLACEHOLDER = re.compile(
    rb"(?i)example|changeme|change[_-]me|placeholder|replace|your[_-]|\bdummy|redacted|\*\*\*|\.\.\.|xxxx|todo|insert"
    rb"|^[<\[{(%$]|\$\{|\{\{"
)
_COMMON = {
    b"pass", b"passwd", b"password", b"pwd", b"secret", b"token", b"user", b"username", b"test", b"none", b"null",
    b"true", b"false", b"foo", b"bar", b"baz",
}  # fmt: skip
"""What people write where they mean that something stands there, in lower case."""
_WORDS = re.compile(rb"[A-Za-z]+(?:[._/:-][A-Za-z0-9]+)*")
_ENV_EXAMPLES = (".example", ".sample", ".template", ".dist")
_IN_WORD = re.compile(rb"[A-Za-z0-9_]")
_SECRET_WORDS = rb"passw(?:or)?d|passphrase|secret|token|api_?key|access_?key|private_?key|credential"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of credential."""

    name: str
    """How `--allow-secret` calls it."""
    kind: str
    """What a person is told was found."""
    keys: tuple[bytes, ...]
    """A file without any of these has none; it saves most of the work. In small letters where the rule is `folded`."""
    folded: bool = False
    """Whether capital letters mean the same as small ones."""
    pattern: bytes
    """A regular expression. Where it has a group `secret`, that part is judged, else the whole."""
    guess: bool = False
    least_entropy: float = 2.5
    """Bits a character; what people type to stand for a credential has less."""
    files: tuple[str, ...] = ("*",)
    """The names of files that it is looked for in."""
    least_digits: int = 0
    stands_alone: bool = False
    """Whether it is none in the middle of a longer word."""

    @property
    def form(self) -> re.Pattern[bytes]:
        """The pattern, compiled when it is first looked for: few files have a key of more than a few rules."""
        return _compiled(self.pattern)

    def concerns(self, name: str) -> bool:
        """Whether a file of this name can hold one."""
        if self.name == "env-file" and name.endswith(_ENV_EXAMPLES):
            return False
        return any(fnmatchcase(name, pattern) for pattern in self.files)

    def accepts(self, found: re.Match[bytes]) -> bool:
        """Whether what the pattern found is a credential indeed and not something that stands for one."""
        if self.stands_alone and found.start() and _IN_WORD.match(found.string, found.start() - 1):
            return False
        secret = found["secret"] if "secret" in self.form.groupindex else found[0]
        if self.least_entropy and entropy(secret) < self.least_entropy:
            return False
        if sum(48 <= letter <= 57 for letter in secret) < self.least_digits:
            return False
        if secret.lower() in _COMMON or _PLACEHOLDER.search(secret):
            return False
        return not (self.guess and self.least_digits and _WORDS.fullmatch(secret) and not _is_random(secret))


@functools.cache
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern)


def entropy(text: bytes) -> float:
    """Return the entropy of a text by how often its characters occur, in bits a character."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values()) if text else 0.0


def _is_random(text: bytes) -> bool:
    """Whether letters and digits are mixed as no words are: `k8s-v2` is words, `a9F3k2` is not."""
    changes = sum(chr(one).isdigit() != chr(other).isdigit() for one, other in itertools.pairwise(text))
    return changes >= 6


def _form(name: str, kind: str, keys: tuple[bytes, ...], pattern: bytes, *, least_entropy: float = 2.5) -> Rule:
    # What stands before it is judged in `accepts`: a pattern that begins with letters is searched for much faster.
    whole = rb"(?:" + pattern + rb")(?![A-Za-z0-9])"
    return Rule(name=name, kind=kind, keys=keys, pattern=whole, least_entropy=least_entropy, stands_alone=True)


RULES: tuple[Rule, ...] = (
    Rule(
        name="private-key",
        kind="a private key",
        keys=(b"PRIVATE KEY", b"PuTTY-User-Key-File-"),
        pattern=(
            rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
            rb"(?:\\r|\\n|\s){1,8}(?:[A-Za-z-]{1,40}: [^\r\n]{0,200}\s{1,4}){0,5}[A-Za-z0-9+/=]{16}"
            rb"|\APuTTY-User-Key-File-[0-9]"
        ),
        least_entropy=0,
    ),
    _form("age-key", "a private key of age", (b"AGE-SECRET-KEY-1",), rb"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    _form("dayfly-token", "a token of Dayfly", (token.PREFIX.encode(),), token.FORM.encode()),
    _form(
        "dayfly-builder-secret", "a builder secret of Dayfly", (token.PREFIX.encode(),), builder.FORM.encode()
    ),
    _form("aws-access-key", "an access key of AWS", (b"AKIA", b"ASIA"), rb"(?:AKIA|ASIA)[A-Z2-7]{16}"),
    Rule(
        name="aws-secret-key",
        kind="a secret key of AWS",
        keys=(b"ecret_access_key", b"ECRET_ACCESS_KEY", b"ecretAccessKey"),
        pattern=(
            rb"(?:[Ss]ecret_access_key|SECRET_ACCESS_KEY|[Ss]ecretAccessKey)[\"']?\s{0,8}[:=]\s{0,8}[\"']?(?P<secret>[A-Za-z0-9/+]{40})"
            rb"(?![A-Za-z0-9/+=])"
        ),
        least_entropy=3.5,
    ),
    _form("google-api-key", "an API key of Google", (b"AIza",), rb"AIza[0-9A-Za-z_-]{35}", least_entropy=3.0),
    _form("google-oauth-secret", "an OAuth secret of Google", (b"GOCSPX-",), rb"GOCSPX-[0-9A-Za-z_-]{28}"),
    Rule(
        name="azure-key",
        kind="a key of Azure",
        keys=(b"AccountKey=", b"SharedAccessKey="),
        pattern=rb"(?:AccountKey|SharedAccessKey)=(?P<secret>[A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{86}==)",
        least_entropy=3.0,
    ),
    _form(
        "azure-client-secret", "a client secret of Azure", (b"8Q~",), rb"[A-Za-z0-9_~.]{3}8Q~[A-Za-z0-9_~.-]{34}",
        least_entropy=3.0,
    ),
    _form(
        "github-token", "a token of GitHub", (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
        rb"gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
    ),
    _form(
        "gitlab-token", "a token of GitLab", (b"glpat-", b"gldt-", b"glrt-", b"glptt-", b"glcbt-"),
        rb"gl(?:pat|dt|rt|ptt|cbt)-[A-Za-z0-9_.-]{20,64}",
    ),
    _form(
        "slack-token", "a token of Slack", (b"xox", b"xapp-"),
        rb"xox[abprse]-(?:[0-9A-Za-z]{1,20}-){1,4}[0-9A-Za-z]{16,128}|xapp-[0-9]-[A-Z0-9]{8,16}-[0-9]{8,16}-[0-9a-f]{32,128}",
    ),
    _form(
        "slack-webhook", "a webhook of Slack", (b"hooks.slack.com/",),
        rb"https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9]{8,16}/[A-Za-z0-9]{8,20}/[A-Za-z0-9]{16,64}",
        least_entropy=4.0,
    ),
    _form("stripe-key", "a live key of Stripe", (b"k_live_",), rb"[sr]k_live_[0-9A-Za-z]{16,247}"),
    _form("npm-token", "a token of npm", (b"npm_",), rb"npm_[A-Za-z0-9]{36}", least_entropy=3.0),
    _form("pypi-token", "a token of PyPI", (b"pypi-Ag",),
          rb"pypi-(?:AgEIcHlwaS5vcmc|AgENdGVzdC5weXBpLm9yZw)[A-Za-z0-9_-]{50,1000}"),
    _form("docker-token", "a token of Docker Hub", (b"dckr_pat_", b"dckr_oat_"), rb"dckr_[po]at_[A-Za-z0-9_-]{27,64}"),
    _form("digitalocean-token", "a token of DigitalOcean", (b"_v1_",), rb"do[opr]_v1_[0-9a-f]{64}"),
    _form("vault-token", "a token of Vault", (b"hvs.", b"hvb."), rb"hv[sb]\.[A-Za-z0-9_-]{24,300}", least_entropy=3.0),
    _form("anthropic-key", "a key of Anthropic", (b"sk-ant-",), rb"sk-ant-[a-z0-9]{1,12}-[A-Za-z0-9_-]{80,120}"),
    _form(
        "openai-key", "a key of OpenAI", (b"T3BlbkFJ",),
        rb"sk-(?:[a-z]{1,10}-)?[A-Za-z0-9_-]{20,100}T3BlbkFJ[A-Za-z0-9_-]{20,100}",
    ),
    _form("huggingface-token", "a token of Hugging Face", (b"hf_",), rb"hf_[A-Za-z]{34}", least_entropy=3.5),
    _form("sendgrid-key", "a key of SendGrid", (b"SG.",), rb"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    _form("telegram-token", "a token of a Telegram bot", (b":AA",), rb"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}",
          least_entropy=3.0),
    _form("shopify-token", "a token of Shopify", (b"shpat_", b"shpca_", b"shppa_", b"shpss_"),
          rb"shp(?:at|ca|pa|ss)_[0-9a-f]{32}"),
    Rule(
        name="registry-login",
        kind="a login for an image registry",
        keys=(b"auths",),
        pattern=(
            rb"[\"']auths[\"'][^\0]{0,4000}?[\"'](?:auth|identitytoken|password)[\"']\s{0,4}:\s{0,4}[\"'](?P<secret>[^\"'\s]{8,4000})"
        ),
    ),
    Rule(
        name="kube-config",
        kind="a credential for Kubernetes",
        keys=(b"client-key-data",),
        pattern=(
            rb"(?m)^[ -]{0,12}client-key-data:\s{1,4}(?P<secret>[A-Za-z0-9+/=]{40,20000})"
        ),
    ),
    Rule(
        name="kube-token",
        kind="a credential for Kubernetes",
        keys=(b"kind: Config",),
        pattern=rb"(?m)^[ ]{2,12}(?:token|password):\s{1,4}[\"']?(?P<secret>[^\s\"'#]{6,8000})",
    ),
    Rule(
        name="npm-login",
        folded=True,
        kind="a login for a package index",
        keys=(b":_authtoken", b":_password", b"_auth"),
        pattern=rb"(?m)^[^\s#;=]{0,200}_(?:authToken|auth|password)\s{0,4}=\s{0,4}[\"']?(?P<secret>[^\s\"']{6,4000})",
        files=(".npmrc", "npmrc", "*.npmrc", ".yarnrc"),
    ),
    Rule(
        name="netrc",
        kind="a login",
        keys=(b"machine",),
        pattern=rb"machine\s{1,20}\S{1,200}\s{1,20}login\s{1,20}\S{1,200}\s{1,20}password\s{1,20}(?P<secret>\S{3,500})",
        least_entropy=0,
    ),
    Rule(
        name="index-login",
        folded=True,
        kind="a login for a package index",
        keys=(b"password",),
        pattern=rb"(?mi)^[ \t]{0,8}password\s{0,4}[:=][ \t]{0,4}(?P<secret>\S{3,500})",
        files=(".pypirc", "pypirc"),
        least_entropy=0,
    ),
    Rule(
        name="env-file",
        folded=True,
        kind="a password in a file of variables",
        keys=(b"pass", b"secret", b"token", b"key", b"credential"),
        pattern=(
            rb"(?mi)^[ \t]{0,8}(?:export[ \t]{1,4})?[A-Z0-9_.]{0,60}(?:" + _SECRET_WORDS + rb")[A-Z0-9_]{0,40}"
            rb"[ \t]{0,4}=[ \t]{0,4}[\"']?(?P<secret>[^\s\"'#]{3,2000})"
        ),
        files=(".env", ".env.*", "*.env"),
        least_entropy=0,
    ),
    Rule(
        name="basic-auth-url",
        kind="a password in an address",
        keys=(b"://",),
        pattern=(
            rb"://(?P<user>[^\s/:@\"'`<>{}$\\%()\[\]|,*]{1,64}):(?!(?P=user)@)(?P<secret>[^\s/:@\"'`<>{}$\\()\[\]|,*]{3,200})@"
            rb"(?!(?:localhost|127\.|\[::1\]|example\.|[a-z0-9-]{1,40}\.example|host\b))[A-Za-z0-9]"
        ),
        guess=True,
        least_entropy=1.5,
    ),
    Rule(
        name="assigned-secret",
        folded=True,
        kind="a secret in an assignment",
        keys=(b"passw", b"passphrase", b"secret", b"token", b"key", b"credential"),
        pattern=(
            rb"(?i)(?:" + _SECRET_WORDS.replace(rb"_?", rb"[_-]?") + rb")[A-Za-z0-9_-]{0,20}[\"']?\]?\s{0,4}"
            rb"(?::=|=>|[:=])\s{0,4}[bru]?[\"'](?P<secret>[A-Za-z0-9+/=_.~!@#%^&*-]{16,200})[\"']"
        ),
        guess=True,
        least_entropy=3.5,
        least_digits=2,
    ),
)  # fmt: skip
BY_NAME = {rule.name: rule for rule in RULES}
EXACT = tuple(sorted({key for rule in RULES if not rule.folded for key in rule.keys}))
FOLDED = tuple(sorted({key for rule in RULES if rule.folded for key in rule.keys}))
