"""The worker process, which serves connections.

__main__    entry point: tied to the supervisor's life
worker      executes the commands that arrive over the link
plans       compiles configurations, as far as they have changed
"""

# Rule: a worker imports neither grpc nor prometheus_client nor yaml: it starts in a tenth of a second and stays small.
