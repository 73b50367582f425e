"""The journal, as the API sees it. Everything is read from the shared memory: workers take no part.

marks      moments, as opaque tokens
exchanges  records with the names of their listeners, rules and faults
filters    which exchanges are asked for
reading    all regions merged
following  records as they are appended and completed
evidence   what was dropped, and whether what is left proves anything
journal    list, wait, verify, watch, clear
"""
