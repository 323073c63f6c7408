"""The embedded PostgreSQL."""

import secrets
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import psycopg2
import psycopg2.extensions

from relaystack.errors import StackError
from relaystack.files import write_private
from relaystack.running.accounts import give
from relaystack.running.process import Command, Pause, run
from relaystack.servers.binaries import postgres_programs
from relaystack.servers.embedded import ANSWER_TIMEOUT_SECONDS, Server
from relaystack.servers.failures import Rule
from relaystack.servers.postmaster import bury

USER = DATABASE = "relay"

NOT_DURABLE = ("-c", "fsync=off", "-c", "full_page_writes=off")
"""Extra options for tests: what they write has to survive a killed server, but not a stopped machine."""


class Postgres(Server):
    """PostgreSQL with one user and one database, both `relay`, on the loopback address only.

    TCP and not a socket file: a path of more than 107 bytes cannot be one.
    """

    name: ClassVar[str] = "postgres"
    title: ClassVar[str] = "PostgreSQL"
    setting: ClassVar[str] = "DATABASE_URL"
    rules: ClassVar[Sequence[Rule]] = (
        (
            r"initialized by PostgreSQL version (\S+),\s+which is not compatible with this version (\S+)\.",
            "{directory} was made by PostgreSQL {0} and this is PostgreSQL {1}: "
            "carry the data over with pg_dumpall of the old version, or move the directory away.",
        ),
        (
            r"could not look up effective user ID (\d+)",
            "{title} has to know the name of user {0}, which has none: "
            "add it to /etc/passwd, or set {setting} to a server of your own.",
        ),
        (
            r'lock file "postmaster.pid" already exists(?s:.*)PID (\d+)',
            "{title} already runs on {directory} (process {0}): stop it first.",
        ),
    )

    transient: ClassVar[str] = "pre-existing shared memory block"  # killed backends that are not quite gone

    @property
    def data(self) -> Path:
        """PGDATA."""
        return self.directory / "data"

    @property
    def password(self) -> str:
        """Made at the first start."""
        return (self.directory / "password").read_text()

    @property
    def url(self) -> str:
        """With the password."""
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    def program(self) -> Path:
        """`postgres`."""
        return postgres_programs() / "postgres"

    def start(self, pause: Pause = time.sleep) -> None:
        """Begin to start it, after making what the first start needs."""
        self.make_directory()
        if not self.data.exists():
            self._initialise(pause)
        bury(self.data)
        super().start(pause)

    def command(self) -> Command:
        """Runs postgres in the foreground, with its log on stderr."""
        address = ("-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
        # Two wake up several times a second by default, although a commit writes its own log and a checkpoint
        # the rest; and each minute a new process looks whether there is something to clean.
        thrift = ("-c", "wal_writer_delay=10s", "-c", "bgwriter_delay=10s", "-c", "autovacuum_naptime=5min")
        argv: tuple[str | Path, ...] = (
            self.program(),
            "-D",
            self.data,
            *address,
            *thrift,
            "-c",
            "timezone=UTC",
            *self.extra,
        )
        # SIGINT is a fast shutdown. SIGTERM would wait until every client has gone.
        return self.make_command(argv, stop_signal=signal.SIGINT)

    def answers(self) -> bool:
        """Whether it knows our password, and has our database: it is made if it is missing."""
        try:
            connection = self._connect()
        except psycopg2.OperationalError:  # not yet, or a server that does not know our password
            return False
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
                if cursor.fetchone() is None:
                    cursor.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            connection.close()
        return True

    def _connect(self) -> psycopg2.extensions.connection:
        return psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=self.password,
            dbname="postgres",
            connect_timeout=ANSWER_TIMEOUT_SECONDS,
            sslmode="disable",
            gssencmode="disable",
        )

    def _initialise(self, pause: Pause) -> None:
        """Make PGDATA, first under another name: one that was broken off is never used."""
        unfinished = self.directory / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        password = self.directory / "password"
        write_private(password, secrets.token_urlsafe(24))
        give([password], self.account)
        self._initdb(unfinished, password, pause)
        unfinished.rename(self.data)

    def _initdb(self, directory: Path, password: Path, pause: Pause) -> None:
        # The built-in locale is the same on every system, macOS as well; messages stay in English.
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        access = ("--username", USER, "--pwfile", password, "--auth=scram-sha-256")
        sync = ("--no-sync",) if NOT_DURABLE[1] in self.extra else ()
        argv = (postgres_programs() / "initdb", "--pgdata", directory, *access, *locale, *sync)
        process = run(self.make_command(argv), pause)
        if process.exit_code != 0:
            raise StackError(self.explain(process))
