"""One start of the stack, from the first server to the last process stopped."""

from collections.abc import Callable, Sequence

from relaystack import ports
from relaystack.datadir import DataDirectory
from relaystack.files import write_json
from relaystack.options import Options, read_text
from relaystack.progress import Condition, has_said, has_succeeded, serves_pages, wait_for
from relaystack.running.interrupts import Interrupts
from relaystack.running.process import stop_all
from relaystack.running.programs import WEB, Programs
from relaystack.running.supervisor import Stage, Supervisor
from relaystack.servers.embedded import Server
from relaystack.servers.external import require_answer
from relaystack.servers.mongo import Mongo
from relaystack.servers.postgres import Postgres
from relaystack.servers.together import start_all
from relaystack.servers.valkey import Valkey

MIGRATE_LIMIT_SECONDS = 600.0  # A new index on many messages takes its time.
READY_LIMIT_SECONDS = 60.0

EMBEDDED: Sequence[type[Server]] = (Postgres, Valkey, Mongo)


class Stack:
    """`start()`, then `run()` until the end is asked for, and `stop()` in any case."""

    def __init__(
        self, options: Options, data: DataDirectory, interrupts: Interrupts, say: Callable[[str], None]
    ) -> None:
        self.options = options
        self.data = data
        self.token = ""
        self.user, self.password = self._operator()
        self._interrupts = interrupts
        self._say = say
        self._urls: dict[str, str] = dict(options.urls)
        self._supervisor = Supervisor(self._write_state, say)

    @property
    def redis_url(self) -> str:
        """Where publishers find Redis, once it serves."""
        return self._urls["REDIS_URL"]

    def start(self) -> None:
        """Start everything, and wait until it serves.

        Raises:
            StackError: something did not start.
            StopRequested: the operator did not want to wait.
        """
        self._start_servers()
        programs = Programs(self._environment(), self.data.log, self.data.inherited)
        self._migrate(programs)
        self._start_programs(programs)

    def run(self) -> None:
        """Keep everything running until the end is asked for."""
        self._supervisor.run(self._interrupts)

    def stop(self) -> None:
        """Stop everything."""
        self._supervisor.stop(self._interrupts)

    def _start_servers(self) -> None:
        for setting, url in self.options.urls.items():
            require_answer(setting, url)
            self._say(f"Using the server of {setting}.")
        servers = [self._server(kind) for kind in EMBEDDED if kind.setting not in self._urls]
        if not servers:
            return
        self.data.require_free_bytes()
        self._say("Starting " + ", ".join(server.title for server in servers) + ".")
        start_all(servers, self._interrupts.pause)
        for server in servers:
            self._urls[server.setting] = server.url
        for server in servers:
            if server.process is not None:
                self._supervisor.adopt(server.process, Stage.SERVER)
        self.data.remember_ports({server.name: server.port for server in servers})
        self._say(
            "They serve: " + ", ".join(f"{server.title} on port {server.port}" for server in servers) + "."
        )

    def _server(self, kind: type[Server]) -> Server:
        name = kind.name
        return kind(
            self.data.path / name,
            self.data.log / f"{name}.log",
            preferred_port=self.data.ports().get(name, ports.PREFERRED[name]),
            inherited=self.data.inherited,
        )

    def _migrate(self, programs: Programs) -> None:
        migrations = [
            programs.manage("migrate", "migrate", "--no-input"),
            programs.manage("migrate-messages", "migrate", "--no-input", "--database", "messages"),
        ]
        running = [command.start() for command in migrations]
        titles = ("PostgreSQL's tables are up to date", "MongoDB's collections are up to date")
        try:
            self._wait_for(dict(zip(titles, map(has_succeeded, running), strict=True)), MIGRATE_LIMIT_SECONDS)
        finally:
            stop_all(running, 2.0)

    def _start_programs(self, programs: Programs) -> None:
        conditions: dict[str, Condition] = {}
        for command, stage in programs.lasting():
            process = command.start()
            self._supervisor.adopt(process, stage)
            if command.name == WEB:
                condition = serves_pages(process, self.options.web_host, self.options.port)
                conditions["The web server is ready"] = condition
            elif stage is Stage.PROGRAM:
                conditions[f"The worker for {command.name} is ready"] = has_said(process, " ready.")
        token = read_text(self.options.environment, "RELAY_OPERATOR_TOKEN") or self.data.secret("token")
        operator = programs.ensure_operator(self.user, self.password, token).start()
        # Until it is through, the loops refuse to begin if RELAY_PARTITIONS has changed.
        repartition = programs.manage("repartition", "repartition").start()
        conditions["The operator is there"] = has_succeeded(operator)
        conditions["The channels are in their partitions"] = has_succeeded(repartition)
        try:
            self._wait_for(conditions, READY_LIMIT_SECONDS)
            self.token = token
        finally:
            stop_all([operator, repartition], 2.0)
            operator.command.log.unlink()
        self._write_state(self._supervisor.pids)

    def _wait_for(self, conditions: dict[str, Condition], limit_seconds: float) -> None:
        wait_for(conditions, self._interrupts.pause, self._say, limit_seconds)

    def _operator(self) -> tuple[str, str]:
        user, password = self.data.operator()
        given = self.options.environment
        return (
            read_text(given, "RELAY_OPERATOR_USER") or user,
            read_text(given, "RELAY_OPERATOR_PASSWORD") or password,
        )

    def _environment(self) -> dict[str, str]:
        """What Relay's programs get: how to find the servers, and whatever the operator has set."""
        secret_key = read_text(self.options.environment, "RELAY_SECRET_KEY") or self.data.secret("secret_key")
        encryption_keys = (
            read_text(self.options.environment, "RELAY_ENCRYPTION_KEYS") or self.data.encryption_key()
        )
        read = {"RELAY_SECRET_KEY_FILE", "RELAY_ENCRYPTION_KEYS_FILE"}
        kept = {key: value for key, value in self.options.environment.items() if key not in read}
        return {
            "RELAY_PUBLIC_URL": self.options.web_address,
            **kept,
            **self._urls,
            "DJANGO_SETTINGS_MODULE": "relayproject.settings",
            "PYTHONUNBUFFERED": "1",
            "RELAY_DATA_DIR": str(self.data.path),
            "RELAY_SECRET_KEY": secret_key,
            "RELAY_ENCRYPTION_KEYS": encryption_keys,
            "RELAY_WEB_HOST": self.options.host,
            "RELAY_WEB_PORT": str(self.options.port),
        }

    def _write_state(self, pids: dict[str, int]) -> None:
        """Tell scripts what runs. Nothing is stopped because it cannot be told."""
        state = {
            "web": self.options.web_address,
            "token": self.token,
            "user": self.user,
            "password": self.password,
            **{name.lower(): url for name, url in self._urls.items()},
            "pids": pids,
        }
        try:
            write_json(self.data.path / "stack.json", state)
        except OSError as error:
            self._say(f"stack.json could not be written: {error.strerror}.")
