"""What was seen between clients and a server, and a configuration and a talk that repeat it.

relay           passes bytes between clients and the server, and records them
pieces          a recording: the bytes and ends, in the order in which they came
secrets         replaces what looks like a secret
streams         what each client sent, and where the server began to answer
splitting       a client's stream to requests, with the framings of the server
framings        which framing fits the streams, how sure that is, and why
length_prefixes the length prefixes among them
flow            YAML in flow style
exchanges       requests and their replies
rules           the rules that give these replies
notes           what the user has to know about the outcome
configuration   the configuration as YAML
talk            the talk
outcome         all of this together, proved by a simulation
"""

from answerback.recording.flow import Bare
from answerback.recording.framings import Given
from answerback.recording.outcome import Nothing, Outcome, Unframed, outcome_of
from answerback.recording.pieces import Kind, Piece, Recording
from answerback.recording.relay import Relay
from answerback.recording.splitting import Invalid, compiled

__all__ = [
    "Bare",
    "Given",
    "Invalid",
    "Kind",
    "Nothing",
    "Outcome",
    "Piece",
    "Recording",
    "Relay",
    "Unframed",
    "compiled",
    "outcome_of",
]
