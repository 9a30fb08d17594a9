"""A stand-in for services with OpenAI's interface, over real HTTP: answers come in chunks that cut letters in two."""

from __future__ import annotations

import asyncio
import contextlib
import json


class OpenAiServer:
    """Answers chats and transcriptions.

    Parameters
    ----------
    words : of each answer to a chat, in turn, the last one again and again
    heard : of each transcription
    pause : seconds between two chunks
    """

    def __init__(self, words=("Hello there. How are you?",), heard=("what is this",), pause=0.0):
        self.words, self.heard, self.pause = list(words), list(heard), pause
        self.asked, self.sounds, self.keys = [], [], []
        self.trouble = ""
        self.open, self.tasks = 0, []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        self.tasks.append(asyncio.current_task())
        self.open += 1
        try:
            await self._one(reader, writer)
        finally:
            self.open -= 1
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _one(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
            body = await reader.readexactly(int(headers["content-length"]))
            self.keys.append(headers.get("authorization", ""))
            if "/audio/transcriptions" in head[0]:
                self.sounds.append(body)
                said = self.heard[0] if len(self.heard) == 1 else self.heard.pop(0)
                self._answer(writer, 200, {"text": said})
            else:
                await self._chat(writer, json.loads(body))
            await writer.drain()

    @staticmethod
    def _answer(writer, status, value):
        data = json.dumps(value).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        writer.write(head.encode() + data)

    async def _chat(self, writer, body):
        self.asked.append(body["messages"])
        trouble, self.trouble = self.trouble, ""
        if trouble.isdigit():
            self._answer(writer, int(trouble), {"error": {"message": "secret-in-an-error"}})
            return
        if trouble == "silent":
            await asyncio.sleep(30)
        said = self.words[0] if len(self.words) == 1 else self.words.pop(0)
        if trouble == "whole":
            self._answer(writer, 200, {"choices": [{"message": {"content": said}}]})
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        portions = [said[i : i + 4] for i in range(0, len(said), 4)]
        events = ["{}", *({"choices": [{"delta": {"content": each}}]} for each in portions)]
        stream = ": comment\n\n" + "".join(
            f"data: {each if isinstance(each, str) else json.dumps(each, ensure_ascii=False)}\n\n" for each in events
        )
        data = (stream + "data: [DONE]\n\n").encode()
        if trouble == "nonsense":
            data = b"data: {nonsense\n\n"
        for i in range(0, len(data), 37):  # cuts events, and letters, in two
            if trouble == "broken" and i > 0.6 * len(data):
                return
            chunk = data[i : i + 37]
            writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            await writer.drain()
            await asyncio.sleep(self.pause)
        writer.write(b"0\r\n\r\n")
