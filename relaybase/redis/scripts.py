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

UNKNOWN_RUN: Final = "RUN Redis does not say in which run it is. Grant this user +info. It says: "
"""What the error of `RUN` begins with."""

RUN: Final = (
    """
local info = redis.pcall('INFO', 'server')
local run_id = type(info) == 'string' and string.match(info, 'run_id:(%w+)')
if not run_id then
  local why = type(info) == 'table' and info.err or 'nothing of a run_id'
  return redis.error_reply('"""
    + UNKNOWN_RUN
    + """' .. why)
end
"""
)
"""Lua: in which run of Redis this is, as `run_id`. One that does not say so has not proved to be the same as
before: the script ends there, and has written nothing if it begins with this."""
