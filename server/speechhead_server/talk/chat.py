"""Who answers: a language model behind OpenAI's interface for chats, or an echo."""

from __future__ import annotations

import codecs
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, Protocol

from .wire import ServiceAddress, ServiceAnswer, ServiceError, post, refusal, usable

LINE = 256 * 1024
"""Characters of one event of a stream at most."""

ChatMessage = dict[str, str]
"""{"role": "system", "user" or "assistant", "content": ...}"""

BEGIN, END = "<think>", "</think>"
"""Between which some models write thoughts that are not to be said."""


class Chat(Protocol):
    """Somebody who answers."""

    def answer(self, messages: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
        """The answer to the last message, in portions as they come.

        Raises
        ------
        ServiceError, in one line, if there is none or it breaks off.
        """


class EchoChat:
    """Says what the visitor says."""

    async def answer(self, messages: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
        """See `Chat`."""
        for word in messages[-1]["content"].split():
            yield f"{word} "


class OpenAiChat:
    """A service with OpenAI's interface, POST /v1/chat/completions, as a stream.

    Parameters
    ----------
    model : its name there
    key : empty for none
    seconds : that it may be silent
    """

    def __init__(self, address: ServiceAddress, model: str, key: str, seconds: float) -> None:
        self._address, self._model, self._key, self._seconds = address, model, key, seconds

    async def answer(self, messages: Sequence[ChatMessage]) -> AsyncGenerator[str, None]:
        """See `Chat`."""
        body = json.dumps({"model": self._model, "messages": list(messages), "stream": True}).encode()
        async with post(self._address, "application/json", body, self._key, self._seconds) as answer:
            if answer.status != 200:
                raise refusal(self._address, answer.status)
            said = self._whole(answer) if "json" in answer.content else self._streamed(answer)
            async with contextlib.aclosing(without_thoughts(said)) as spoken:
                async for portion in spoken:
                    yield usable(portion)

    async def _streamed(self, answer: ServiceAnswer) -> AsyncIterator[str]:
        """What the events of a stream say."""
        finished = False
        async for data in events(answer.chunks):
            if data == "[DONE]":
                return
            choice = self._choice(data)
            finished = finished or bool(choice.get("finish_reason"))
            said = (choice.get("delta") or {}).get("content")
            if isinstance(said, str) and said:
                yield said
        if not finished:
            raise self._broken()

    async def _whole(self, answer: ServiceAnswer) -> AsyncIterator[str]:
        """An answer that came in one, from a service that knows no streams."""
        said = (self._choice((await answer.body()).decode("utf-8", "replace")).get("message") or {}).get("content")
        if isinstance(said, str):
            yield said

    def _choice(self, data: str) -> dict[str, Any]:
        try:
            event = json.loads(data)
            if event.get("error"):
                raise ServiceError(f"{self._address.name} failed. Try again in a moment.", "error in the stream")
            choice = (event.get("choices") or [{}])[0]
            assert isinstance(choice, dict) and all(isinstance(choice.get(k) or {}, dict) for k in ("delta", "message"))
        except (ValueError, AttributeError, TypeError, LookupError, AssertionError, RecursionError):
            raise self._broken() from None
        return choice

    def _broken(self) -> ServiceError:
        return ServiceError(f"{self._address.name} broke off in the middle. Try again.", "broken stream")


async def events(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """The data of server-sent events; bytes may be cut anywhere, in the middle of a letter too."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    async for chunk in chunks:
        rest += decoder.decode(chunk)
        *lines, rest = rest.split("\n")
        if len(rest) > LINE:
            return
        for line in lines:
            if line.startswith("data:"):
                yield line[5:].strip()
    if rest.startswith("data:"):
        yield rest[5:].strip()


async def without_thoughts(portions: AsyncIterator[str]) -> AsyncGenerator[str, None]:
    """An answer without what stands between `BEGIN` and `END` at its beginning."""
    held, thinking, begun = "", False, False
    async for portion in portions:
        if begun:
            yield portion
            continue
        held = (held + portion).lstrip() if not thinking else held + portion
        if not thinking and BEGIN.startswith(held[: len(BEGIN)]):
            thinking = held.startswith(BEGIN)
            if not thinking:
                continue
        if thinking:
            _, found, after = held.partition(END)
            held = after if found else held[-len(END) :]
            thinking = not found
            begun = bool(found)
            if found and after:
                yield after
        else:
            begun = True
            yield held
    if not begun and not thinking and held:
        yield held
