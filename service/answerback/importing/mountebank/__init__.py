"""Imposters of mountebank: its files, and what its API answers.

imposters   a file to listeners
stubs       a stub to a rule
conditions  conditions on requests
predicates  predicates to a condition; ignored: what they remove from requests before
responses   responses to scripts
http_fields     predicates on requests of HTTP; http_responses: its responses
behaviors   what is done to a response: waits, and what is copied from the request
proxies     imposters that are only a proxy, to relays
data        text and binary mode: what a string of an imposter means
"""

from answerback.importing.mountebank.imposters import import_mountebank

__all__ = ["import_mountebank"]
