"""The stock backend, loaded without a search for GDAL.

It tries to load what it has for GeoDjango, of which Relay uses nothing, and takes an absence for an answer.
To find out, Django asks `ldconfig`, `gcc` and `ld` for a dozen names of the library, three times: a hundred
processes, 0.25 s of CPU, in each process of Relay and in each child of a worker. So while it is loaded no
library is found, also where there is one.
"""

from ctypes import util

_find = util.find_library
util.find_library = lambda name: None
try:
    from django_mongodb_backend import base
finally:
    util.find_library = _find

__all__ = ["base"]
