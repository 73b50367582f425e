"""The default configuration: one read of at most 1024 bytes is answered with a greeting, and the connection closes."""

from typing import Final

from answerback.v1 import config_pb2 as v1

BUILT_IN: Final = v1.Config(
    listeners=[
        v1.Listener(
            name="hello",
            address="0.0.0.0:8000",
            framing=v1.Framing(read=v1.Framing.Read(max_bytes=1024)),
            rules=[
                v1.Rule(
                    do=[
                        v1.Step(send=v1.Payload(text="Hello, World!")),
                        v1.Step(close=v1.Step.Close()),
                    ]
                )
            ],
        )
    ]
)
