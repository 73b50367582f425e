"""`tls`: handshakes break off."""

from typing import Final

from answerback.compat import override
from answerback.core import faults
from answerback.language import bounds
from answerback.language.context import Checking
from answerback.language.faults.base import FAULTS, FaultKind
from answerback.language.fields import Field, Where, describe
from answerback.v1 import config_pb2 as v1

PLAIN_TEXT: Final = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
UNENCRYPTED: Final = ("alert", "plain_text")  # only after CLIENT_HELLO: a client decrypts what comes later

FIELDS = describe(
    v1.Fault.Tls,
    Where.LISTENER,
    after=Field(
        "faults: [{tls: {reset: {}, after: SERVER_HELLO}}]",
        default="`CLIENT_HELLO`",
        words="with `alert` and `plain_text` only `CLIENT_HELLO`: what follows is encrypted",
    ),
    stall=Field("faults: [{tls: {stall: {}, after: SERVER_HELLO}}]"),
    reset=Field("faults: [{tls: reset}]"),
    truncate=Field("faults: [{tls: {truncate: {}, after: FINISHED}}]"),
    alert=Field("faults: [{times: 2, tls: {alert: HANDSHAKE_FAILURE}}]"),
    plain_text=Field("faults: [{tls: plain_text}]"),
)


@FAULTS.kind("tls")
class TlsKind(FaultKind):
    """Handshakes break off."""

    fields = FIELDS
    words = "only on a listener with `tls`; not with `rules` or `direction`"
    example = "faults: [{tls: {stall: {}}}]"
    in_handshake = True

    @override
    def check(self, given: v1.Fault.Tls, path: str, checking: Checking) -> None:
        bounds.enum(v1.Fault.Tls.Point.DESCRIPTOR, given.after, f"{path}.after", checking.problems)
        kind = given.WhichOneof("kind")
        if kind is None:
            checking.add(path, "empty: set one of stall, reset, truncate, alert, plain_text")
        elif kind == "alert":
            _check_alert(given, f"{path}.alert", checking)
        if kind in UNENCRYPTED and given.after > v1.Fault.Tls.POINT_CLIENT_HELLO:
            why = f"only CLIENT_HELLO with {kind}: what comes later is encrypted; use reset or truncate there"
            checking.add(f"{path}.after", why)

    @override
    def handshake(self, given: v1.Fault.Tls) -> faults.Tls:
        return self.compile(given)

    @override
    def compile(self, given: v1.Fault.Tls) -> faults.Tls:
        after = faults.Point(given.after or v1.Fault.Tls.POINT_CLIENT_HELLO)
        match given.WhichOneof("kind"):
            case "stall":
                return faults.Tls(after, faults.Ending.STALL)
            case "reset":
                return faults.Tls(after, faults.Ending.RESET)
            case "truncate":
                return faults.Tls(after, faults.Ending.CLOSE)
            case "alert":
                return faults.Tls(after, faults.Ending.CLOSE, faults.alert(given.alert))
            case "plain_text":
                return faults.Tls(after, faults.Ending.CLOSE, PLAIN_TEXT)
            case _:
                raise ValueError("a fault of TLS says nothing")


def _check_alert(given: v1.Fault.Tls, path: str, checking: Checking) -> None:
    if given.alert == v1.Fault.Tls.ALERT_UNSPECIFIED:
        checking.add(path, "no alert: write its name, HANDSHAKE_FAILURE for example")
    else:
        bounds.enum(v1.Fault.Tls.Alert.DESCRIPTOR, given.alert, path, checking.problems)
