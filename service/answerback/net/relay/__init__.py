"""Relays connections to an upstream.

resolver        names, without blocking the event loop
connector       a connection to an upstream
beginning       what it begins with: a PROXY header, a TLS handshake
forwarding      what that header says of the client
awaited_client  the client's own PROXY header, then its TLS handshake
layer           what is between a side and the connection
client_layer    the client's PROXY header, there
connection      a relayed connection: the two sides, and `core.relay` between them
poll_side       a side in the engine CALLBACK
stream_side     a side in the engine COROUTINE
secure_side     TLS on either, between a side and the connection
"""
