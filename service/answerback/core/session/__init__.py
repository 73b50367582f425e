"""The conversation on one connection.

A driver reports events to the session, with the time (seconds of any steady clock), and performs the returned actions
in order:

    connection_made      the connection was accepted; comes first
    reject               instead of `connection_made`: close in order at once
    receive_data         input from the peer
    receive_eof          the peer's FIN; no input comes after it
    note_fin             the peer has sent FIN, but bytes before it have not been read; `receive_eof` follows
    writing_paused       the kernel took only part of the output
    writing_progressed   the peer has read enough output for its timeout to start again
    writing_resumed      the kernel has taken all of the output
    take_turn            it is this connection's turn again, after it used up one: see `wants_turn`
    handle_timer         `deadline` has passed
    drain                finish what is in progress, then close in order
    connection_lost      the connection is gone; no more actions follow

After performing actions with nothing left unsent, the driver calls `writing_resumed` if `awaits_flush`; it reads only
while `wants_read`; and it calls `handle_timer` at `deadline`, which is never later than the first thing due (it may be
earlier: then `handle_timer` only moves it). A session that has used up its time (`script.TURN_SECONDS`) stops, and
keeps the rest of its work; the driver lets other connections have their turns, then calls `take_turn`.

session       Session: what a driver calls, and the path of a cached reply
state         its fields, which the parts below share, and what follows from them
conversation  what is under way: the input, the request that is being answered, the script that waits
reader        the received bytes, and the framing that splits them into requests
requests      frames requests, and decides how to continue
answering     answers each of them by its rule
incomplete    what is done with the beginning of a request
playing       takes the steps of a rule
writing       those of them that change variables
script        what is left of them while they wait
frames        reads the frames that scripts wait for
forwarding    passes requests on to an upstream
owed          the replies that it owes
replies       frames its replies, and answers for each by its rule
events        rules on events that are no requests
ticking       the clocks of rules on TICK
leaving       the peer's FIN, and drains
closing       FIN, lingering, reset
timers        what is due when
status        what operators see of a conversation
layer         what each layer before a session answers in its place
slow_reader   passes input on at the rate of a slow line
tls_layer     decrypts input, and encrypts output
tls_output    the output that is not encrypted yet
header_reader finds out who the client is, before anything else
observer      what another part of the program may be told of a conversation
"""

from answerback.core.session.header_reader import HeaderReader
from answerback.core.session.observer import Observer
from answerback.core.session.session import Session
from answerback.core.session.slow_reader import SlowReader
from answerback.core.session.status import waits_for
from answerback.core.session.tls_layer import TlsLayer

__all__ = ["HeaderReader", "Observer", "Session", "SlowReader", "TlsLayer", "waits_for"]
