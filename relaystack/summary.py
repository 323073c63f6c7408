"""What the operator reads when everything is up."""

import shlex
import sys
from pathlib import Path

from relaystack.options import Options
from relaystack.running.programs import PROJECT


def summary(options: Options, user: str, password: str, token: str, redis_url: str) -> str:
    """Addresses, the login, and lines to paste that show a message arriving."""
    web = options.web_address
    authorization = f"-H 'Authorization: Bearer {token}'"
    orders = """-H 'Content-Type: application/json' -d '{"channel": "orders"}'"""
    python, manage = (shorten(Path(path)) for path in (sys.executable, PROJECT / "manage.py"))
    elsewhere = options.data_dir != PROJECT / "var"
    data = shorten(options.data_dir)
    setting = f"RELAY_DATA_DIR={shlex.quote(str(options.data_dir))} " if elsewhere else ""
    return f"""
  site          {web}/
  admin         {web}/admin/
  API browser   {web}/api/v1/
  Redis         {redis_url}
  user          {user}
  password      {password}
  token         {token}

See a message arrive. Paste into another terminal, in this directory:

  curl -sS {authorization} {orders} '{web}/api/v1/start-listening?wait=5'
  {setting}{python} {manage} publish orders "hello"
  curl -sS {authorization} '{web}/api/v1/messages?channel=orders'

Your publishers use the address of Redis. With redis-cli, if you have it, the second line is this one:

  redis-cli -u {shlex.quote(redis_url)} PUBLISH orders "hello"

Logs are in {data}/log. Ctrl-C stops everything; the data stay in {data}.
"""


def shorten(path: Path) -> str:
    """As one would type it from here. Links are kept: the interpreter of a virtual environment is one."""
    try:
        return shlex.quote(str(path.relative_to(Path.cwd())))
    except ValueError:
        return shlex.quote(str(path))
