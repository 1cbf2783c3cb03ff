"""Sources as `faas-cli` sends them: an archive of a context, what is asked for, and a signature."""

import base64
import hashlib
import hmac
import io
import json
import tarfile
from collections.abc import Mapping

from nacl.public import Box, PrivateKey, PublicKey

FLASK = "from function import handler\n"
ABOUT = "language: {}\nfprocess: python index.py\n"


def context(language: str, files: Mapping[str, str], folder: str = "function") -> dict[str, bytes]:
    """Return a build context: a template's files around a handler's."""
    around = {"template.yml": ABOUT.format(language), "Dockerfile": "FROM scratch\n", "index.py": FLASK}
    inside = {f"{folder}/{name}": text for name, text in files.items()}
    return {name: text.encode() for name, text in {**around, **inside}.items()}


def archive(
    files: Mapping[str, bytes], wish: Mapping[str, object] | bytes | None = None, sealed: bytes = b"", mode: int = 0o644
) -> bytes:
    """Return what is sent; `wish` is what is asked for, an image `team/fn:1` unless it says otherwise."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        folders = sorted({"context", *(f"context/{name.rpartition('/')[0]}" for name in files if "/" in name)})
        for folder in folders:
            about = tarfile.TarInfo(folder)
            about.type, about.mode, about.uname, about.gname = tarfile.DIRTYPE, 0o2755, "author", "author"
            tar.addfile(about)
        asked = wish if isinstance(wish, bytes) else json.dumps({"image": "team/fn:1", **(wish or {})}).encode()
        beside = {"com.openfaas.docker.config": asked} | ({"com.openfaas.secrets": sealed} if sealed else {})
        for name, content in {**{f"context/{name}": content for name, content in files.items()}, **beside}.items():
            about = tarfile.TarInfo(name)
            about.size, about.mode = len(content), mode
            tar.addfile(about, io.BytesIO(content))
    return out.getvalue()


def signature(data: bytes, secret: str) -> str:
    """Return the value of X-Build-Signature."""
    return f"sha256={hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()}"


def seal(public_key: str, secrets: Mapping[str, bytes]) -> bytes:
    """Return an envelope as `faas-cli` makes it."""
    mine = PrivateKey.generate()
    box = Box(mine, PublicKey(base64.b64decode(public_key)))
    lines = [
        "version: v1", "algorithm: nacl/box", f"key_id: {public_key[:8]}",
        f"public_key: {base64.b64encode(bytes(mine.public_key)).decode()}", "secrets:",
        *(f"    {name}: {base64.b64encode(bytes(box.encrypt(text))).decode()}" for name, text in secrets.items()),
    ]  # fmt: skip
    return "\n".join(lines).encode() + b"\n"
