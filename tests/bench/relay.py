"""A loopback relay that counts what really crosses the wire, headers and compression included.

`python -m tests.bench.relay PORT` prints its own port and relays to PORT; each line on its input is answered with the
bytes so far, `up` from the browser and `down` to it.
"""

import asyncio
import json
import sys
from typing import cast

import uvloop

COUNT = {"up": 0, "down": 0}


class Side(asyncio.Protocol):
    """One end of a relayed connection; `way` names the direction of what it reads."""

    def __init__(self, way: str) -> None:
        self.way = way
        self.other: asyncio.Transport | None = None
        self.waiting: list[bytes] = []
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # TCP gives a full one

    def data_received(self, data: bytes) -> None:
        COUNT[self.way] += len(data)
        if self.other:
            self.other.write(data)
        else:
            self.waiting.append(data)

    def join(self, other: asyncio.Transport) -> None:
        """Write to the other end from now on."""
        self.other = other
        for data in self.waiting:
            other.write(data)
        self.waiting.clear()
        if self.transport.is_closing():
            other.close()

    def pause_writing(self) -> None:
        if self.other:
            self.other.pause_reading()

    def resume_writing(self) -> None:
        if self.other and not self.other.is_closing():
            self.other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other:
            self.other.close()


class Front(Side):
    """The browser's end: opens the other one."""

    def __init__(self, port: int) -> None:
        super().__init__("up")
        self.port = port
        self.opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        try:
            transport, back = await asyncio.get_running_loop().create_connection(
                lambda: Side("down"), "127.0.0.1", self.port
            )
        except OSError:
            self.transport.close()
            return
        back.join(self.transport)
        self.join(transport)


async def main(port: int) -> None:
    """Relay until the input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Front(port), "127.0.0.1", 0)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.readline():
        print(json.dumps({**COUNT, "port": server.sockets[0].getsockname()[1]}), flush=True)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
