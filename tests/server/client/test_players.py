"""Players of others watch: GStreamer's webrtcbin, and the npm package whip-whep in Chromium."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("aiortc")
pytest.importorskip("fastapi")
pytest.importorskip("websockets")
pytest.importorskip("httpx")

from support import chromium
from support.live import make, running, until

pytestmark = pytest.mark.slow

PLAYER = Path(__file__).parents[2] / "support" / "gstreamer_whep.py"
PYTHON = "/usr/bin/python3"
"""The system's, which has GStreamer's bindings."""

TOKEN = "a-token-of-the-test"


def has_gstreamer():
    probe = (
        "import gi; gi.require_version('GstWebRTC', '1.0'); from gi.repository import Gst; Gst.init(None);"
        "assert Gst.ElementFactory.find('webrtcbin') and Gst.ElementFactory.find('nicesrc')"
    )
    return Path(PYTHON).exists() and subprocess.run([PYTHON, "-c", probe], capture_output=True).returncode == 0


@pytest.mark.skipif(not has_gstreamer(), reason="no GStreamer. apt install gstreamer1.0-plugins-bad gstreamer1.0-nice "
                    "gstreamer1.0-libav gir1.2-gst-plugins-bad-1.0 python3-gi.")  # fmt: skip
@pytest.mark.parametrize("encoding", ["H264", "VP8"])
def test_gstreamer_decodes_pictures_and_sound(encoding):
    async def scenario():
        server = make(token=TOKEN)
        async with running(server) as client:
            url = f"{client.base_url}/whep"
            command = [PYTHON, str(PLAYER), url, encoding, "12", TOKEN]
            process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            out, error = await process.communicate()
            assert process.returncode == 0, error.decode()[-2000:]
            got = json.loads(out)
            assert got["video"] > 100 and got["audio"] > 200, got  # of about 10 s, as it starts up
            # It says no good-bye: the place is free again when nothing is heard of it.
            await until(lambda: len(server.sessions) == 0, 40)

    asyncio.run(scenario())


def package():
    """The folder of whip-whep, from the variable WHIP_WHEP or by npm."""
    given = os.environ.get("WHIP_WHEP")
    return Path(given) if given else None


@pytest.mark.skipif(chromium.find() is None, reason="no Chromium found. apt install chromium, or set CHROMIUM.")
@pytest.mark.skipif(shutil.which("npm") is None, reason="no npm found")
def test_whip_whep_in_chromium(tmp_path):
    folder = package()
    if folder is None:
        packed = subprocess.run(["npm", "pack", "whip-whep"], cwd=tmp_path, capture_output=True, timeout=120)
        if packed.returncode:
            pytest.skip("npm does not find whip-whep; WHIP_WHEP may name its folder")
        subprocess.run(["tar", "xzf", *(path.name for path in tmp_path.glob("*.tgz"))], cwd=tmp_path, check=True)
        folder = tmp_path / "package"
    source = (folder / "whep.js").read_text()

    async def scenario():
        server = make(token=TOKEN)
        async with running(server) as client, chromium.browser() as page:
            await page.open(f"{client.base_url}/livez")
            await page.run(f"""
              (async () => {{
                const {{ WHEPClient }} = await import(URL.createObjectURL(
                  new Blob([{json.dumps(source)}], {{ type: "text/javascript" }})));
                const pc = window.pc = new RTCPeerConnection();
                pc.addTransceiver("audio", {{ direction: "recvonly" }});
                pc.addTransceiver("video", {{ direction: "recvonly" }});
                window.whep = new WHEPClient();
                await whep.view(pc, "{client.base_url}/whep", "{TOKEN}");
              }})()""")
            frames = """(async () => {
              for (const r of (await pc.getStats()).values())
                if (r.type === "inbound-rtp" && r.kind === "video") return r.framesDecoded > 50;
            })()"""
            await page.until(frames, 30)
            assert len(server.sessions) == 1 and [e for e in page.errors if "favicon" not in e and "404" not in e] == []
            await page.run("whep.stop()")
            await until(lambda: len(server.sessions) == 0, 10)

    asyncio.run(scenario())
