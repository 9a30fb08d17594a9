"""A viewer whose network lets nothing out but a TURN relay: coturn between a real browser and the server."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket

import pytest

pytest.importorskip("aiortc")
pytest.importorskip("fastapi")
pytest.importorskip("websockets")
pytest.importorskip("httpx")

from support import chromium
from support.live import make, running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.find() is None, reason="no Chromium found. apt install chromium, or set CHROMIUM."),
    pytest.mark.skipif(shutil.which("turnserver") is None, reason="no TURN server found. apt install coturn."),
]

RELAYED = """
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(options) { super({...options, iceTransportPolicy: "relay"}); window.peer = this; }
};
window.path = async () => {  // kinds of the chosen candidates, and how the browser speaks to its relay
  const reports = await peer.getStats();
  for (const pair of reports.values())
    if (pair.type === "candidate-pair" && pair.nominated && pair.state === "succeeded") {
      const local = reports.get(pair.localCandidateId);
      return [local.candidateType, local.relayProtocol];
    }
};
"""


@contextlib.asynccontextmanager
async def relay(user, password):
    """The address of a TURN server on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        "turnserver", "-n", "--lt-cred-mech", f"--user={user}:{password}", "--realm=test", f"--listening-port={port}",
        "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--allow-loopback-peers", "--no-tls", "--no-dtls",
        "--no-cli", "--pidfile=/dev/null", "--log-file=stdout", stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            assert process.returncode is None, "the TURN server ended"
            await asyncio.sleep(0.1)
        yield f"turn:127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_viewer_behind_a_relay(transport):
    async def visit():
        async with relay("viewer", "secret") as address:
            options = {"turn": (f"{address}?transport={transport}",), "turn_user": "viewer", "turn_password": "secret"}
            async with running(make(**options)) as client, chromium.browser() as page:
                await page.call("Page.addScriptToEvaluateOnNewDocument", source=RELAYED)
                await page.open(str(client.base_url))
                await page.until("!document.querySelector('#start').disabled")
                await page.click("#start")
                await page.until("document.querySelector('#stage').dataset.phase === 'live'", 40)
                assert await page.run("path()") == ["relay", transport]
                frames = "document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"
                await page.until(f"{frames} > 25", 20)
                assert not page.errors

    asyncio.run(visit())
