"""The version of the package, and nothing else: the build reads it without importing anything."""

__version__ = "0.2.0"
