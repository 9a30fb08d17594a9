"""The page's conversation in a real browser: typed, spoken, interrupted, by keyboard, on a small screen."""

from __future__ import annotations

import asyncio
import os
import wave

import numpy as np
import pytest

pytest.importorskip("aiortc")
pytest.importorskip("fastapi")
pytest.importorskip("websockets")
pytest.importorskip("httpx")

from support import chromium
from support.live import make, running
from support.openai_server import OpenAiServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.find() is None, reason="no Chromium found. apt install chromium, or set CHROMIUM."),
]

ANSWER = "[happy:0.6] Well, that is a long story and I like to tell it. " + "It goes on and on and on. " * 6
TURNS = (
    "[...document.querySelectorAll('#turns li')].map((li) => `${li.className}: ${li.querySelector('p').textContent}`)"
)


def a_visitor(path):
    """A question and a long silence, as the browser's microphone, over and over."""
    from speechhead.tts import synthesize

    said = synthesize("Could you tell me what this is?").samples
    sound = np.repeat(np.concatenate([np.zeros(16_000), said, np.zeros(48_000)]), 3)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 48_000, 0, "NONE", ""))
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())


async def photograph(page, name):
    """A picture for whoever wants to look: the variable PICTURES names a folder."""
    if folder := os.environ.get("PICTURES"):
        await page.picture(f"{folder}/{name}.png")


async def size(page, width, height):
    await page.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
    )


def test_a_conversation(tmp_path, capsys):
    a_visitor(tmp_path / "voice.wav")
    flags = (f"--use-file-for-fake-audio-capture={tmp_path}/voice.wav", "--use-fake-ui-for-media-stream")

    async def visit():
        service = OpenAiServer(["Hello you. [waves] Nice to meet you.", ANSWER], ["could you tell me what this is"])
        async with (
            service,
            running(server := make(llm=service.url, asr=service.url)) as client,
            chromium.browser(*flags) as page,
        ):
            await size(page, 1280, 900)
            await page.open(str(client.base_url))
            await page.until("!document.querySelector('#modes').hidden")
            await page.click("#modes [value=talk]")
            assert await page.run(
                "document.querySelector('#composer').hidden && document.activeElement.id === 'talk-text'"
            )
            await photograph(page, "talk-empty")

            # What is written is answered; the first message connects.
            await page.run("document.querySelector('#talk-text').value = 'Hi there'")
            await page.key("Enter", 13, "\r")
            await page.until(f"{TURNS}.join('|') === 'you: Hi there|avatar: Hello you. Nice to meet you.'", 40)
            await page.until("document.querySelector('#talk').dataset.state === 'idle'", 20)

            # The open microphone: a question is heard and answered, the next one interrupts.
            await page.click("#talk-open")
            await page.until(f"{TURNS}.length === 4", 30)
            assert (await page.run(TURNS))[2] == "you: could you tell me what this is"
            assert not await page.run("document.querySelector('video').muted")
            first = int(await page.until("document.querySelector('#talk').dataset.first", 20))
            await photograph(page, "talk-desktop")
            await size(page, 390, 844)
            await page.run("document.querySelector('#talk').scrollIntoView({block: 'end'})")
            await photograph(page, "talk-390")
            assert await page.run("document.documentElement.scrollWidth") <= 390
            await size(page, 1280, 900)
            await page.until("document.querySelector('#turns em')", 30)
            cut = await page.run("document.querySelector('#turns em').closest('p').firstChild.textContent")
            assert "Well".startswith(cut[:4]) or cut == ""
            stage = next(iter(server.sessions._sessions.values())).stage
            with capsys.disabled():
                print(f"\nfrom the end of speech to the first spoken frame {first} ms (0.7 s of it to know the end), "
                      f"from an interrupt to rest {stage.interrupt_ms:.0f} ms")  # fmt: skip

            # Off; then a key that is held instead.
            await page.click("#talk-open")
            await page.click("#talk-stop")
            asked = len(service.sounds)
            await page.run("document.querySelector('#talk-hold').focus()")
            await page.call("Input.dispatchKeyEvent", type="keyDown", key=" ", code="Space", windowsVirtualKeyCode=32)
            await page.until("document.querySelector('#talk').dataset.state === 'hearing'", 10)
            await asyncio.sleep(5.5)
            await page.call("Input.dispatchKeyEvent", type="keyUp", key=" ", code="Space", windowsVirtualKeyCode=32)
            await page.until("document.querySelector('#talk').dataset.state !== 'hearing'", 10)
            for _ in range(100):
                if len(service.sounds) > asked:
                    break
                await asyncio.sleep(0.1)
            assert len(service.sounds) == asked + 1

            # An error is one line in the list; the page goes on, and back to texts.
            service.trouble = "429"
            await page.run("document.querySelector('#talk-text').value = 'More'")
            await page.click("#talk-send")
            await page.until("document.querySelector('#turns .wrong p')", 10)
            await photograph(page, "talk-error")
            await page.click("#talk-new")
            await page.until(f"{TURNS}.length === 0", 5)
            await page.click("#modes [value=say]")
            assert await page.run("!document.querySelector('#composer').hidden")
            session = next(iter(server.sessions._sessions.values()))
            for _ in range(50):
                if session.ears is None:
                    break
                await asyncio.sleep(0.1)
            assert session.ears is None and not page.errors, page.errors

    asyncio.run(visit())
