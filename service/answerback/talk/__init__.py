"""Talks: what a TCP client sends and must receive, line by line, and playing them against a server.

script    the format: text to instructions
player    an instruction after another, over sockets
"""
