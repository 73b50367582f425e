"""The journal, as the API sees it. Everything is read from the shared memory: workers take no part.

marks       moments, as opaque tokens
exchanges   records with the names of their listeners, rules and faults
filters     which exchanges are asked for
reading     all regions merged
following   records as they are appended
in_progress records that are seen again when they are complete
waits       waits for exchanges
answers     the nearest exchanges, and what a message holds
evidence    what was dropped, and whether what is left proves anything
journal     list, verify, watch, clear
"""
