"""What lets a source into a server: the content of the secret that a trigger names.

| content | read as |
|---|---|
| `{"user": …, "password": …}` | a JSON object of the fields below |
| `NAME:PASSWORD` | user and password |
| anything else of one line | `token` |

A line's end is no part of it: editors and `echo` leave one.
"""

import msgspec

from dayfly.model.errors import InvalidSpec


class Credentials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was in the secret; empty where it says nothing. Nothing that prints this shows it."""

    user: str = ""
    """An access key's id for S3."""
    password: str = ""
    """An access key's secret for S3."""
    token: str = ""
    ca: str = ""
    """Certificates in PEM that the server's must go back to, instead of the machine's own."""
    certificate: str = ""
    """The client's certificate, in PEM, with those between it and its authority."""
    key: str = ""
    """The certificate's private key, in PEM."""

    @classmethod
    def parse(cls, content: bytes) -> "Credentials":
        """Read a secret's content. Raises InvalidSpec, which does not show it."""
        try:
            if content.lstrip().startswith(b"{"):
                return msgspec.json.decode(content, type=cls)
            text = content.decode().rstrip("\r\n")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            fields = ", ".join(cls.__struct_fields__)
            raise InvalidSpec(f"the secret must hold NAME:PASSWORD, a token, or a JSON object of {fields}") from error
        user, colon, password = text.partition(":")
        return cls(user=user, password=password) if colon else cls(token=text)

    def __repr__(self) -> str:
        """Say which fields there are and not what is in them."""
        return f"Credentials({', '.join(name for name in self.__struct_fields__ if getattr(self, name))})"
