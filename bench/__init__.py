"""The bench: what a request costs the server, beside a C floor and other ways to write the same responder.

A run's way: ``__main__`` reads the options; ``run`` starts the ``roster`` of contenders (``server``), pairs them under
``load`` and reads their ``cpu``; ``memory`` and ``startup`` measure the rest and ``books`` are looked at; ``figures``
judges; ``report`` prints. ``profile`` stands beside them, for whoever wants to know where the time goes.
"""
