"""The functions of expressions, a module for each family.

numbers      ints to bytes and back
text         parts of bytes, and changes of them
encodings    hex, base64, percent-encoding
checksums    CRCs, sums, XOR
digests      MD5, SHA, HMAC
chance       random numbers and bytes
time         the time of day
searching    patterns, JSON
"""

# Rule: a function takes and returns bytes, ints and bools, and fails only with EvaluationError.
# Rule: a function whose result can be longer than 1 KiB checks its size before it makes it (`errors.bounded`).
