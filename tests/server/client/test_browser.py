"""The page in a real browser: what is seen and heard, a visit with keyboard and files, the microphone, refusals."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import wave

import numpy as np
import pytest

pytest.importorskip("aiortc")
pytest.importorskip("fastapi")
pytest.importorskip("websockets")
pytest.importorskip("httpx")

import av
import httpx
from support import chromium
from support.fakes import speech_like
from support.live import make, running, until
from support.paths import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.find() is None, reason="no Chromium found. apt install chromium, or set CHROMIUM."),
]

WATCH = """
window.peers = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) { super(...given); peers.push(this); }
};
window.energy = async () => {  // of all sound that was played
  for (const report of (await peers.at(-1).getStats()).values())
    if (report.type === "inbound-rtp" && report.kind === "audio") return report.totalAudioEnergy;
};
window.mouth = async (milliseconds) => {  // over a while: [pictures, mean deviation of the mouth's pixels]
  const video = document.querySelector("video"), side = 32;
  const context = new OffscreenCanvas(side, side).getContext("2d", {willReadFrequently: true});
  const seen = [], end = performance.now() + milliseconds;
  while (performance.now() < end) {
    await new Promise((go) => {
      video.requestVideoFrameCallback(go);
      setTimeout(go, 500);
    });
    const {videoWidth: w, videoHeight: h} = video;
    context.drawImage(video, 0.3 * w, 0.5 * h, 0.4 * w, 0.35 * h, 0, 0, side, side);
    seen.push(context.getImageData(0, 0, side, side).data.filter((_, i) => i % 4 === 1));
  }
  let sum = 0;
  for (let i = 0; i < side * side; i++) {
    const mean = seen.reduce((all, one) => all + one[i], 0) / seen.length;
    sum += Math.sqrt(seen.reduce((all, one) => all + (one[i] - mean) ** 2, 0) / seen.length);
  }
  return [seen.length, sum / side ** 2];
};
window.set = (id, value) => {
  const input = document.getElementById(id);
  if (input.type === "checkbox") input.checked = value; else input.value = value;
  input.dispatchEvent(new Event("input", {bubbles: true}));
};
"""

PHASE = "document.querySelector('#stage').dataset.phase"
STATE = "document.querySelector('#stage').dataset.state"
SEEN = "document.querySelector('video.seen')"
NOTICE = "document.querySelector('#notice:not([hidden])')?.innerText"


@contextlib.asynccontextmanager
async def real(**_):
    """`speechhead serve` with the shipped networks and voices, in a process of its own."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "speechhead", "serve", "--size", "256", "--max-sessions", "2", "--port", str(port)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            for _ in range(600):
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get("/healthz")).status_code == 200:
                        break
                assert process.returncode is None
                await asyncio.sleep(0.1)
            yield client
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def fakes(**options):
    """A server of stand-ins in this process."""
    async with running(make(**{"size": 128, **options})) as client:
        yield client


async def enter(page, client):
    """Open the page, with a head that keeps still so that only speech moves the mouth, and connect."""
    await page.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
    await page.open(str(client.base_url))
    await page.until("!document.querySelector('#start').disabled")
    await page.run("set('head_amplitude', 0); set('blink_rate', 0); set('look_away', 0); set('idle', false)")
    await page.click("#start")
    await page.until(f"{PHASE} === 'live' && {SEEN}", 40)
    await asyncio.sleep(1.5)  # the first pictures are coarse


async def moving(page, rest):
    """How much a mouth moves that does more than it did at rest; a busy machine may show nothing for seconds."""
    for _ in range(4):
        _, spoken = await page.run("mouth(1800)")
        if spoken > 2 * rest and spoken > rest + 0.5:
            return spoken
    raise AssertionError(f"the mouth moves {spoken:.2f}, {rest:.2f} at rest")


async def sessions(client, wanted=0):
    """Wait until the server has so many sessions."""
    for _ in range(100):
        if (found := (await client.get("/healthz")).json()["sessions"]) == wanted:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{found} sessions, not {wanted}")


def busy(serving, count):
    """The shipped networks need a machine that has nothing else to do."""
    if serving is real:
        pytest.skip(f"this machine is too busy: {count} pictures in two seconds")
    return False


@pytest.mark.parametrize("serving", [fakes, real])
def test_a_visit(serving, tmp_path):
    async def visit():
        async with serving() as client, chromium.browser() as page:
            await enter(page, client)
            # Idle: real pictures, a mouth at rest, silence.
            count, rest = await page.run("mouth(2000)")
            assert await page.run("document.querySelector('#interrupt').disabled"), "there is nothing to stop"
            quiet = await page.run("energy()")
            assert count >= 20 or busy(serving, count)
            assert await page.run("document.querySelector('video').videoWidth") == (128 if serving is fakes else 256)

            # A text, spoken by the Enter key: the mouth moves, there is sound, words light up.
            text = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
            await page.run(f"document.querySelector('#text').focus(), document.querySelector('#text').value = '{text}'")
            await page.key("Enter", 13, "\r")
            await page.until("document.querySelector('.captions .said')", 40)
            spoken = await moving(page, rest)
            assert await page.run("energy()") > quiet + 1e-5
            assert await page.run("document.querySelector('#spoken').textContent") in text

            # Escape interrupts: rest and silence again.
            await page.run("document.querySelector('#text').value = 'again '.repeat(60)")
            await page.click("#speak")
            await page.until(f"{STATE} === 'speaking'", 40)
            await asyncio.sleep(0.5)
            assert not await page.run("document.querySelector('#interrupt').disabled")
            await page.key("Escape", 27)
            await page.until(f"{STATE} === 'idle'", 10)
            await asyncio.sleep(1.5)
            quiet = await page.run("energy()")
            _, rest = await page.run("mouth(1500)")
            assert spoken > 2 * rest, (rest, spoken)
            assert await page.run("energy()") < quiet + 1e-5
            await page.until("/\\d fps/.test(document.querySelector('#r-fps').textContent)")
            assert await page.run("document.querySelector('#r-first').textContent") != "–"

            # A recording is saved.
            await page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
            await page.click("#record")
            await asyncio.sleep(2)
            await page.click("#record")
            await until(lambda: [*tmp_path.glob("speechhead-*.mp4"), *tmp_path.glob("speechhead-*.webm")], 10)
            with av.open(str(next(tmp_path.glob("speechhead-*")))) as file:
                assert file.streams.video and file.streams.audio

            # A portrait of the visitor's own takes the stage.
            shutil.copy(ROOT / "speechhead" / "avatar" / "portraits" / "eileen_collins.jpg", tmp_path / "guest.jpg")
            await page.choose("#portrait-file", tmp_path / "guest.jpg")
            chosen = "document.querySelector('.own input:checked')"
            await page.until(f"{chosen} && {PHASE} === 'live' && {SEEN}", 60)
            await sessions(client, 1)
            await page.choose("#portrait-file", ROOT / "pyproject.toml")
            assert "no picture" in await page.until(NOTICE)

            # Leaving frees the server, by the button and by going away.
            await page.click("#leave")
            await page.until(f"{PHASE} === 'off'")
            await sessions(client, 0)
            await page.click("#start")
            await page.until(f"{PHASE} === 'live'", 40)
            assert not page.errors
            await page.call("Page.navigate", url="about:blank")
            await sessions(client, 0)

    asyncio.run(visit())


@pytest.mark.parametrize("serving", [fakes, real])
def test_the_microphone_moves_the_mouth(serving, tmp_path):
    if serving is fakes:
        sound = speech_like(30, 48_000)
    else:
        from speechhead.tts import synthesize

        said = synthesize("One two three four five six seven eight nine ten eleven twelve.").samples
        sound = np.repeat(np.tile(said, 6), 3)  # 48 kHz, roughly
    with wave.open(str(tmp_path / "voice.wav"), "wb") as file:
        file.setparams((1, 2, 48_000, 0, "NONE", ""))
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())

    async def visit():
        flags = (f"--use-file-for-fake-audio-capture={tmp_path}/voice.wav", "--use-fake-ui-for-media-stream")
        async with serving() as client, chromium.browser(*flags) as page:
            await enter(page, client)
            count, rest = await page.run("mouth(2000)")
            assert count >= 20 or busy(serving, count)
            await page.click("#mic")
            await page.until(f"{STATE} === 'listening'", 30)
            assert await page.run("document.querySelector('video').muted")  # or it would echo
            await asyncio.sleep(1)
            spoken = await moving(page, rest)
            await page.click("#mic")
            await page.until(f"{STATE} === 'idle'", 30)
            assert not await page.run("document.querySelector('video').muted")
            await asyncio.sleep(2)
            _, rest = await page.run("mouth(1500)")
            assert spoken > 2 * rest, (rest, spoken)
            assert not page.errors

    asyncio.run(visit())


def test_a_choice_of_what_draws():
    async def visit():
        async with fakes(generators=("compact", "mine")) as client, chromium.browser() as page:
            await page.open(str(client.base_url))
            await page.until("!document.querySelector('#start').disabled")
            choice = "document.querySelector('#generator')"
            assert not await page.run(f"{choice}.closest('label').hidden")
            assert await page.run(f"[...{choice}.options].map((option) => option.value).join()") == "compact,mine"
            await page.click("#start")
            await page.until(SEEN, 40)
            used = "performance.getEntriesByType('resource').map(({name}) => name).filter((n) => n.endsWith('/whep'))"
            first = (await page.run(used))[-1].rsplit("/", 2)[1]
            assert (await client.get(f"/sessions/{first}")).json()["generator"] == "compact"
            await page.run(f"{choice}.value = 'mine', {choice}.dispatchEvent(new Event('change', {{bubbles: true}}))")
            await page.until(f"{used}.at(-1).split('/').at(-2) !== '{first}'", 40)
            second = (await page.run(used))[-1].rsplit("/", 2)[1]
            assert (await client.get(f"/sessions/{second}")).json()["generator"] == "mine"
            await sessions(client, 1)
            assert page.errors == []
        async with fakes() as client, chromium.browser() as page:
            await page.open(str(client.base_url))
            await page.until("!document.querySelector('#start').disabled")
            assert await page.run(f"{choice}.closest('label').hidden")

    asyncio.run(visit())


def test_refusals_say_what_to_do():
    async def visit():
        async with fakes(token="secret", max_sessions=1) as client, chromium.browser() as page:
            await page.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
            await page.open(f"{client.base_url}?token=wrong")
            await page.until("document.querySelector('#ask').open")
            assert await page.run("!document.querySelector('#ask-wrong').hidden && !location.search")
            await page.run("document.querySelector('#token').value = 'secret'")
            await page.click("#ask-form button")
            await page.until("!document.querySelector('#start').disabled")

            client.headers["Authorization"] = "Bearer secret"
            other = (await client.post("/sessions", json={})).json()["id"]
            await page.click("#start")
            assert "is full" in await page.until(NOTICE)
            assert await page.run("document.querySelector('#notice-act').disabled")  # for as long as the server said
            await client.delete(f"/sessions/{other}")
            await page.run("document.querySelector('#notice-act').onclick()")
            await page.until(f"{PHASE} === 'live'", 40)

            await page.call("Browser.setPermission", permission={"name": "microphone"}, setting="denied")
            await page.click("#mic")
            assert "may not use the microphone" in await page.until(NOTICE)

    asyncio.run(visit())


NOWHERE = """
{
  const known = Object.getOwnPropertyDescriptor(RTCPeerConnection.prototype, "localDescription").get;
  const astray = (sdp) => sdp?.replace(/^(a=candidate:\\S+ \\d+ \\S+ \\d+) \\S+ \\d+/gm, "$1 203.0.113.9 9");
  const answered = RTCPeerConnection.prototype.setRemoteDescription;
  Object.defineProperty(RTCPeerConnection.prototype, "localDescription", {
    get() { const own = known.call(this); return own && {type: own.type, sdp: astray(own.sdp)}; },
  });
  RTCPeerConnection.prototype.setRemoteDescription = function ({type, sdp}) {
    return answered.call(this, {type, sdp: astray(sdp)});
  };
}
"""


def test_media_that_can_not_get_through():
    """Both sides name an address that nobody answers at, as behind a firewall that stops UDP."""

    async def visit():
        async with fakes() as client, chromium.browser() as page:
            await page.call("Page.addScriptToEvaluateOnNewDocument", source=NOWHERE)
            await page.open(str(client.base_url))
            await page.until("!document.querySelector('#start').disabled")
            await page.click("#start")
            said = await page.until(NOTICE, 45)
            assert "No way through" in said and "203.0.113.9" in said and "--turn" in said
            await sessions(client, 0)

    asyncio.run(visit())


def test_takes_keyframes_and_another_head(tmp_path):
    """What the page sends: a seed that begins anew, keyframes with a sound file, and the whole form of a video."""
    keys, head = tmp_path / "mood.csv", tmp_path / "nod.csv"
    keys.write_text("at,emotion\n0,happy\n")
    head.write_text("yaw,pitch,roll\n0,5,0\n")
    with wave.open(str(tmp_path / "voice.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((speech_like(1.0) * 32767).astype("<i2").tobytes())
    named = "performance.getEntriesByType('resource').map(({name}) => name.split('/sessions/')[1]).filter(Boolean)"
    kept = "XMLHttpRequest.prototype.send = (form) => { window.sent = [...form].map(([k, v]) => [k, v.name ?? v]); }"

    async def seed(page, client):
        name = (await page.run(named))[-1].split("/")[0]
        return name, (await client.get(f"/sessions/{name}")).json()["seed"]

    async def visit():
        async with fakes() as client, chromium.browser() as page:
            await page.open(str(client.base_url))
            await page.until("!document.querySelector('#start').disabled")
            await page.run("document.querySelector('#seed').value = 41")
            await page.click("#start")
            await page.until(f"{PHASE} === 'live'", 40)
            first, told = await seed(page, client)
            assert told == 41
            await page.run("document.querySelector('#fine').open = true")
            await page.click("#another")
            await page.until(f"{named}.at(-1).split('/')[0] !== '{first}' && {PHASE} === 'live'", 40)
            name, told = await seed(page, client)
            assert told != 41 and await page.run("document.querySelector('#seed').value") == str(told)

            await page.choose("#keyframes", keys)
            await page.choose("#sound-file", tmp_path / "voice.wav")
            await page.until(f"{STATE} === 'speaking'", 40)
            shown = "document.querySelector('#keyframes-name').textContent"
            assert await page.run(shown) == "mood.csv"
            await page.click("#keyframes-clear")
            assert await page.run(shown) == "none"

            await page.click("#tab-offline")
            await page.until("!document.querySelector('#offline-make').disabled")
            brows = "document.querySelector('#offline-brows')"
            assert await page.run(f"{brows}.disabled")
            await page.choose("#offline-head", head)
            await page.choose("#offline-keyframes", keys)
            await page.run(f"document.querySelector('#offline-motion').open = true, {brows}.click(), {kept}")
            await page.run("document.querySelector('#offline-text').value = 'Hi.', set('offline-seed', 7)")
            await page.click("#offline-make")
            sent = dict(await page.until("window.sent"))
            assert sent.items() >= {"head": "nod.csv", "keyframes": "mood.csv", "text": "Hi.", "seed": "7"}.items()
            assert sent["head_brows"] == "yes" and not page.errors

    asyncio.run(visit())
