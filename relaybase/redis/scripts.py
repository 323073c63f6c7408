"""Lua that several scripts begin with."""

from typing import Final

MISFIT: Final = """
local function misfit(layout, own)
  if not layout or layout == own then return nil end
  return redis.error_reply('LAYOUT here it is ' .. layout .. ', and not ' .. own)
end
"""
"""Lua: the answer where another layout stands beside the stream than the caller's own."""

NAMED: Final = """
local function named(reply)
    local fields = {}
    for i = 1, #reply, 2 do fields[reply[i]] = reply[i + 1] end
    return fields
end
"""
"""Lua: a flat answer of fields and values, such as that of XINFO, as a table."""
