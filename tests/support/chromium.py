"""A headless Chromium, driven over its DevTools protocol: no package beyond `websockets` is needed."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
import tempfile
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-features=WebRtcHideLocalIpsWithMdns",  # containers resolve no .local names
    "--use-fake-device-for-media-stream",
    "--remote-debugging-port=0",
)


def find() -> str | None:
    """Path of an installed Chromium or Chrome; the variable CHROMIUM names another one."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One page of the browser.

    errors: exceptions and failed loads since the page was opened.
    """

    def __init__(self, socket) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self._waiting: dict[int, asyncio.Future] = {}
        self.errors: list[str] = []
        self._reader = asyncio.create_task(self._read())

    async def _read(self):
        from websockets import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            await self._dispatch()

    async def _dispatch(self):
        async for text in self._socket:
            message = json.loads(text)
            if (waiting := self._waiting.pop(message.get("id"), None)) is not None:
                if not waiting.done():
                    waiting.set_result(message)
            elif message.get("method") == "Runtime.exceptionThrown":
                details = message["params"]["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description") or details["text"])
            elif message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
                self.errors.append(message["params"]["entry"]["text"])

    async def call(self, method, **parameters):
        """A command of the protocol."""
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        answer = await asyncio.wait_for(self._waiting[number], 30)
        assert "error" not in answer, answer
        return answer["result"]

    async def run(self, script):
        """The value of an expression (a promise is awaited), as if the visitor had clicked just now."""
        options = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        answer = await self.call("Runtime.evaluate", expression=script, **options)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def click(self, selector):
        """Press a button, which must be there and not disabled."""
        found = await self.run(f"(e => e && !e.disabled && (e.click(), true))(document.querySelector({selector!r}))")
        assert found, f"{selector} can't be clicked"

    async def until(self, script, timeout=20.0):
        """Wait for an expression to become true; its value."""
        end = asyncio.get_running_loop().time() + timeout
        while not (value := await self.run(f"(v => v instanceof Node || v)({script})")):
            said = await self.run("document.querySelector('#notice:not([hidden])')?.textContent")
            assert asyncio.get_running_loop().time() < end, f"{script}: not within {timeout} s; {said}; {self.errors}"
            await asyncio.sleep(0.05)
        return value

    async def key(self, key, code=0, text=None):
        """Press and release a key."""
        options = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **options, **({"text": text} if text else {}))
        await self.call("Input.dispatchKeyEvent", type="keyUp", **options)

    async def choose(self, selector, path):
        """Give a file to a file input."""
        root = (await self.call("DOM.getDocument"))["root"]["nodeId"]
        node = (await self.call("DOM.querySelector", nodeId=root, selector=selector))["nodeId"]
        await self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    async def picture(self, path):
        """What is seen, as PNG."""
        Path(path).write_bytes(base64.b64decode((await self.call("Page.captureScreenshot"))["data"]))

    async def open(self, url):
        """Go to an address."""
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")


@contextlib.asynccontextmanager
async def browser(*flags):
    """A page of a fresh browser."""
    import websockets

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            find(), *FLAGS, f"--user-data-dir={profile}", *flags, "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            file = Path(profile, "DevToolsActivePort")
            for _ in range(600):
                if file.exists() and len(lines := file.read_text().split()) == 2:
                    break
                assert process.returncode is None, "Chromium ended at once"
                await asyncio.sleep(0.05)
            port = lines[0]
            async with websockets.connect(f"ws://127.0.0.1:{port}{lines[1]}", max_size=None) as root:
                await root.send(json.dumps({"id": 1, "method": "Target.getTargets"}))
                targets = json.loads(await root.recv())["result"]["targetInfos"]
            target = next(one["targetId"] for one in targets if one["type"] == "page")
            async with websockets.connect(f"ws://127.0.0.1:{port}/devtools/page/{target}", max_size=None) as socket:
                page = Page(socket)
                for domain in ("Runtime", "Log", "Page", "DOM"):
                    await page.call(f"{domain}.enable")
                yield page
                page._reader.cancel()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
