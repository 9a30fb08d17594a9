"""A headless Firefox, driven over WebDriver BiDi: no package beyond `websockets` is needed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import socket
import tempfile
from pathlib import Path

NAMES = ("firefox", "firefox-esr")

PREFERENCES = {
    "media.autoplay.default": 0,
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,  # containers resolve no .local names
    "media.gmp-manager.updateEnabled": False,
    "network.proxy.type": 0,
}


def find() -> str | None:
    """Path of an installed Firefox; the variable FIREFOX names another one."""
    return os.environ.get("FIREFOX") or next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One page of the browser."""

    def __init__(self, socket) -> None:
        self._socket, self._numbers, self._context = socket, itertools.count(1), ""

    async def call(self, method, **parameters):
        """A command of the protocol."""
        number = next(self._numbers)
        await self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(await asyncio.wait_for(self._socket.recv(), 30))
            if answer.get("id") == number:
                assert answer.get("type") != "error", answer
                return answer["result"]

    async def open(self, url):
        """Go to an address."""
        self._context = (await self.call("browsingContext.getTree"))["contexts"][0]["context"]
        await self.call("browsingContext.navigate", context=self._context, url=url, wait="complete")

    async def run(self, script):
        """The value of an expression (a promise is awaited), as text or number, as if the visitor had clicked."""
        options = {"target": {"context": self._context}, "awaitPromise": True, "userActivation": True}
        answer = await self.call("script.evaluate", expression=script, **options)
        assert answer["type"] == "success", answer
        return answer["result"].get("value")

    async def choose(self, selector, path):
        """Give a file to a file input."""
        locator = {"type": "css", "value": selector}
        found = await self.call("browsingContext.locateNodes", context=self._context, locator=locator)
        element = {"sharedId": found["nodes"][0]["sharedId"]}
        await self.call("input.setFiles", context=self._context, element=element, files=[str(path)])

    async def until(self, script, seconds=30):
        """Wait for an expression to be true."""
        for _ in range(int(5 * seconds)):
            if value := await self.run(script):
                return value
            await asyncio.sleep(0.2)
        raise AssertionError(f"never true: {script}; notice: {await self.run('document.body.innerText')}")


@contextlib.asynccontextmanager
async def browser():
    """A page of a new Firefox with a profile of its own."""
    import websockets

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items())
        (Path(profile) / "user.js").write_text("\n".join(lines))
        process = await asyncio.create_subprocess_exec(
            find(), "--headless", "--profile", profile, "--remote-debugging-port", str(port),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "HOME": profile},
        )  # fmt: skip
        try:
            for _ in range(300):
                with contextlib.suppress(OSError):
                    connection = await websockets.connect(f"ws://127.0.0.1:{port}/session", max_size=None)
                    break
                await asyncio.sleep(0.1)
            async with connection:
                page = Page(connection)
                await page.call("session.new", capabilities={})
                yield page
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
