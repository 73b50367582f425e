"""Configurations made of files of other tools.

outcome     what an import makes: a configuration that can be served, and notes of what has no equivalent
source      a file's text to values that know their places
expressions literals of expressions
addresses   addresses and names of listeners
re2         characters as patterns; javascript: regular expressions of JavaScript to patterns
mountebank  imposters; toxiproxy: proxies, toxics: their faults
"""
