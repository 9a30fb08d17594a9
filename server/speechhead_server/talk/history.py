"""What a language model is told of a conversation so far."""

from __future__ import annotations

from .chat import ChatMessage

PROMPT = (
    "You are a friendly person in a video call, and what you write is spoken aloud. Answer in the language you are "
    "spoken to, in one to three short sentences of plain spoken words: no lists, no markup, no emojis, no stage "
    "directions. Where it fits you may begin a sentence with how you feel: [happy:0.7], [sad:0.5], [surprised:0.6], "
    "[afraid:0.5], [angry:0.5], [disgusted:0.4] or [neutral], with a number from 0 to 1; [pause 1s] is a pause. An "
    "answer of yours that ends in ... was interrupted there, and nothing after it was heard."
)
"""What a model is, unless the operator says otherwise."""


class History:
    """Turns of both, the oldest forgotten first.

    Parameters
    ----------
    turns : of the visitor that are remembered
    characters : of all that is remembered
    """

    def __init__(self, prompt: str, turns: int, characters: int) -> None:
        self._prompt, self._most, self._characters = prompt, 2 * turns, characters
        self._said: list[ChatMessage] = []

    @property
    def messages(self) -> list[ChatMessage]:
        """As a chat takes them, the prompt first."""
        return [{"role": "system", "content": self._prompt}, *self._said]

    def add(self, role: str, text: str) -> None:
        """Remember what was said; what one says in two portions is one turn."""
        if not text:
            return
        if self._said and self._said[-1]["role"] == role:
            self._said[-1] = {"role": role, "content": f"{self._said[-1]['content']} {text}"[-self._characters :]}
        else:
            self._said.append({"role": role, "content": text[-self._characters :]})
        while len(self._said) > 1 and (len(self._said) > self._most or self._size > self._characters):
            del self._said[0]
        while len(self._said) > 1 and self._said[0]["role"] != "user":
            del self._said[0]

    @property
    def _size(self) -> int:
        return sum(len(message["content"]) for message in self._said)

    def forget(self) -> None:
        """Begin anew."""
        self._said.clear()
