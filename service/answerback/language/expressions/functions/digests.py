"""Digests: raw bytes."""

from answerback.core.expressions import Type
from answerback.core.expressions.functions import digests
from answerback.language.expressions.functions.base import Function, Parameter, X, register, taking_bytes

register(
    taking_bytes("md5", digests.md5, "MD5, 16 bytes", "hex(md5(key))", "3c6e0b8a9c15224a8228b9a98ca1531d"),
    taking_bytes("sha1", digests.sha1, "SHA-1, 20 bytes", "base64(sha1(key))", "pi8iJb9wv6zLx/HvKjl4NnFzd94="),
    taking_bytes("sha256", digests.sha256, "SHA-256, 32 bytes", "hex(sha256(key)[0:8])", "2c70e12b7a0646f9"),
    Function(
        "hmac_sha256",
        (Parameter("key", Type.BYTES), X),
        Type.BYTES,
        "HMAC with SHA-256, 32 bytes",
        "hex(hmac_sha256('secret', request)[0:8])",
        "da31ea77c5bf64f0",
        digests.hmac_sha256,
    ),
)
