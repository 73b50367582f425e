from answerback import aio as aio
from answerback import testing as testing
from answerback.client import Client as Client
from answerback.client import ConfigRejected as ConfigRejected
from answerback.client import Error as Error

__version__: str
