"""Toxiproxy's HTTP API, laid over the configuration: `server.Server(supervisor, address)`.

server     HTTP: bounded connections and bodies, browsers turned away
routes     a method and a path to a change, or to an answer
edits      a change of the proxies as an edit of the configuration
listeners  a proxy to a listener, and back
bodies     what clients send
model      proxies and toxics, as that API writes them
errors     its errors
"""
