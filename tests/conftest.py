"""What every test shares: how Hypothesis searches, and nothing else."""

# Rule: fixtures stand in the conftest of the room that uses them; here is only what all rooms need.

from hypothesis import HealthCheck, settings

# A deadline per example fails on a busy machine, not on a slow function; the suite's own timeout catches what hangs.
settings.register_profile("answerback", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("answerback")
