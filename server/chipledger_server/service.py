"""The collector as one process: everything put together, started, and ended in order."""

import asyncio
import signal

from chipledger_server.adapters.clock import SystemClock
from chipledger_server.adapters.database import for_writing, open_engine, open_writer
from chipledger_server.adapters.enrolments import SqlEnrolments
from chipledger_server.adapters.entropy import system_entropy
from chipledger_server.adapters.files import write_public
from chipledger_server.adapters.keys import SqliteKeys
from chipledger_server.adapters.writer import SqliteWriter
from chipledger_server.config import Config
from chipledger_server.usecases.challenge import Challenges
from chipledger_server.usecases.enrol import Enrolments
from chipledger_server.usecases.ingest import Ingest
from chipledger_server.usecases.keys import Keys
from chipledger_server.web.asgi import Receive, Scope, Send, answer
from chipledger_server.web.ingest import AgentDoors
from chipledger_server.web.serving import Service, bind


class _Nothing:
    def stored(self, arrivals: object) -> None: ...

    def tick(self) -> float:
        return 0.2


class _Gauges:
    def health(self) -> tuple[bool, bytes]:
        return True, b"{}"

    def metrics(self) -> bytes:
        return b""


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, 404, [], b"")


async def serve(config: Config) -> None:
    clock = SystemClock()
    connection = open_writer(config.database.path)
    writer = SqliteWriter(
        connection, _Nothing(), now_ms=clock.now_ms, most_waiting=config.limits.queue
    )
    keys = Keys(SqliteKeys(open_writer(config.database.path)))
    nonce_keys = (config.secrets.nonce_key_file.read_bytes(),)
    engine = for_writing(open_engine(config.database.path))
    ingest = Ingest(
        keys=keys,
        writer=writer,
        clock=clock,
        entropy=system_entropy,
        nonce_keys=nonce_keys,
        policy=config.policy,
        limits=config.limits,
    )
    challenges = Challenges(
        keys=keys, clock=clock, entropy=system_entropy, nonce_keys=nonce_keys, policy=config.policy
    )
    enrolments = Enrolments(
        store=SqlEnrolments(engine),
        clock=clock,
        entropy=system_entropy,
        nonce_keys=nonce_keys,
        policy=config.policy,
        collector=config.collector.name,
    )
    doors = AgentDoors(
        reports=ingest,
        challenges=challenges,
        enrolments=enrolments,
        gauges=_Gauges(),
        limits=config.limits,
        behind=_nowhere,
    )
    sock, url = bind(config.listen)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for s in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(s, stop.set)
    writer.start()

    def ready() -> None:
        if config.listen.address_file:
            write_public(config.listen.address_file, url + "\n")

    service = Service(doors, listen=config.listen, limits=config.limits, ready=ready)
    await service.serve_on(sock, stop)
    await writer.stop()
