"""The version of the package, and nothing else: the build reads it without importing anything."""

from typing import Final

__version__: Final = "0.2.0"
