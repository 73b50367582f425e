"""The serving process.

__main__    its start: it belongs to its supervisor from its first moment on, and to its last
worker      what it does with the orders that come over the link
plans       configurations compiled, as far as they have changed
"""

# Rule: a worker loads neither grpc nor prometheus_client nor yaml: it starts in a tenth of a second and stays small.
