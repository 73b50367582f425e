"""The benchmark: server CPU per request, compared with a C floor and other implementations of the same server.

A run's way: ``__main__`` reads the options; ``run`` starts the ``roster`` of contenders (``server``), pairs them under
``load`` and reads their ``cpu``; ``memory`` and ``startup`` measure the rest and ``books`` are looked at; ``figures``
judges; ``report`` prints. ``profile`` shows where the time goes.
"""
