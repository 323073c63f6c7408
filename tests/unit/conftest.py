"""How hard Hypothesis tries: no deadlines, since the machine may be busy."""

from hypothesis import HealthCheck, settings

settings.register_profile("relay", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("relay")
