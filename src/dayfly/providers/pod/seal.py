"""Who may command an agent, and how what is said to it stays between the two.

Every pod of a pool is made from one template, and in the end runs somebody's code. So a pod holds nothing that would
open another one: it knows the control plane's *public* key, and makes a key pair of its own when it starts, which lives
in its memory alone and whose public half it prints as the first line of its log. That line comes to the control plane
by way of the API server, past whatever lies between on the pods' network.

A connection begins with a challenge from the agent; the control plane answers with a message that only it could have
made and only this agent can read (X25519, XSalsa20-Poly1305), with the challenge in it and a key for the rest. Every
frame after it is encrypted and counted, each direction by itself, so that none can be read, forged, repeated or left
out.
"""

import hashlib
import os

import msgspec
from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey
from nacl.secret import SecretBox

from dayfly.model.errors import DayflyError

CHALLENGE_BYTES = 32
_NONCE = SecretBox.NONCE_SIZE


class SealBroken(DayflyError):
    """What came was not made by whom it should be, for us, now."""

    code = "seal_broken"


class _Opening(msgspec.Struct, frozen=True):
    challenge: bytes
    key: bytes


class ControlKey:
    """The control plane's key pair, made from the secret that an installation was given."""

    def __init__(self, secret: bytes) -> None:
        self._private = PrivateKey(hashlib.blake2b(secret, digest_size=32, person=b"dayfly-control").digest())
        self.public: str = bytes(self._private.public_key).hex()
        """What every pod may know."""

    def open(self, agent_key: str, challenge: bytes) -> tuple[bytes, bytes]:
        """Return the first message to the agent that has this public key, and the key for the rest.

        Raises SealBroken when the key is none.
        """
        key = os.urandom(SecretBox.KEY_SIZE)
        try:
            box = Box(self._private, PublicKey(bytes.fromhex(agent_key)))
            return bytes(box.encrypt(msgspec.msgpack.encode(_Opening(challenge, key)))), key
        except (ValueError, CryptoError) as error:
            raise SealBroken(f"the pod's key cannot be used: {error}") from error


class AgentKey:
    """An agent's key pair, which lives as long as its process."""

    def __init__(self, control_key: str) -> None:
        self._private = PrivateKey.generate()
        self._control = PublicKey(bytes.fromhex(control_key))
        self.public: str = bytes(self._private.public_key).hex()

    def accept(self, message: bytes, challenge: bytes) -> bytes:
        """Return the key for the rest of a connection, by its first message. Raises SealBroken."""
        try:
            plain = Box(self._private, self._control).decrypt(message)
            opening = msgspec.msgpack.decode(plain, type=_Opening)
        except (CryptoError, ValueError) as error:
            raise SealBroken("the message was not made by this installation's control plane for this pod") from error
        if opening.challenge != challenge:
            raise SealBroken("the message was made for another connection")
        return opening.key


class Frames:
    """Encrypts what one side says and decrypts what the other does, in their order. `is_agent` tells the two apart."""

    def __init__(self, key: bytes, *, is_agent: bool) -> None:
        self._box = SecretBox(key)
        self._sent = self._taken = 0
        self._is_agent = is_agent

    def seal(self, plain: bytes) -> bytes:
        """Return the next frame."""
        self._sent += 1
        return bytes(self._box.encrypt(plain, _nonce(self._is_agent, self._sent)).ciphertext)

    def unseal(self, frame: bytes) -> bytes:
        """Return what the next frame of the other side says. Raises SealBroken."""
        self._taken += 1
        try:
            return bytes(self._box.decrypt(frame, _nonce(not self._is_agent, self._taken)))
        except (CryptoError, ValueError) as error:
            raise SealBroken("a frame was changed, repeated or left out on its way") from error


def _nonce(is_agent: bool, count: int) -> bytes:
    return (b"a" if is_agent else b"c") + count.to_bytes(_NONCE - 1, "big")
