"""TLS in front of a server that speaks none: the Valkey of the wheel was built without."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.certificates import self_signed


@asynccontextmanager
async def behind_tls(port: int, folder: Path) -> AsyncIterator[tuple[int, str]]:
    """Another port of 127.0.0.1 that leads to this one, and the file of the certificate that it shows."""
    files = self_signed(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files["ssl_certfile"], files["ssl_keyfile"])
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            behind, to_behind = await asyncio.open_connection("127.0.0.1", port)
            try:
                await asyncio.wait(
                    [
                        asyncio.ensure_future(_forward(reader, to_behind)),
                        asyncio.ensure_future(_forward(behind, writer)),
                    ],
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                to_behind.transport.abort()
        finally:
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], files["ssl_certfile"]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
