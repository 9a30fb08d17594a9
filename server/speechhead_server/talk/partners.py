"""Who answers and who writes down, as the operator chose."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from speechhead_server.core.config import ServerSettings

from .chat import Chat, EchoChat, OpenAiChat
from .history import PROMPT, History
from .listening import RemoteTranscriber, Transcriber
from .vad import Detector, open_detector
from .whisper import LocalTranscriber, check_whisper
from .wire import address_of

log = logging.getLogger("speechhead.server")

ECHO, LOCAL = "echo", "local"
"""Values of --llm and --asr that are no addresses."""


@dataclass(frozen=True)
class Partners:
    """What all conversations of a server share.

    characters: of one answer, and of the history, at most
    """

    chat: Chat
    transcriber: Transcriber | None
    prompt: str
    turns: int
    characters: int

    def history(self) -> History:
        """An empty one."""
        return History(self.prompt, self.turns, self.characters)

    def detector(self) -> Detector:
        """One for each microphone."""
        return open_detector()

    @property
    def listens(self) -> bool:
        """Whether speech can be written down."""
        return self.transcriber is not None

    def start(self) -> None:
        """Open what takes a while."""
        if isinstance(self.transcriber, LocalTranscriber):
            self.transcriber.warm()

    async def close(self) -> None:
        """Free what it holds."""
        if self.transcriber is not None:
            await self.transcriber.close()


def partners(settings: ServerSettings) -> Partners | None:
    """Those of the settings; None where no conversation was asked for.

    Raises
    ------
    ServerError for an address that is none, or where what is to run here is not installed.
    """
    if not settings.llm and not settings.asr:
        return None
    chat: Chat = EchoChat()
    if settings.llm not in ("", ECHO):
        address = address_of(settings.llm, "/chat/completions", "the chat service", "--llm")
        chat = OpenAiChat(address, settings.llm_model, settings.llm_key, settings.llm_timeout)
        if settings.llm_key and not address.secure:
            log.warning("SPEECHHEAD_LLM_KEY goes over plain http. Use an https address, unless it is this machine.")
    prompt = settings.llm_prompt or PROMPT
    return Partners(chat, _transcriber(settings), prompt, settings.llm_turns, settings.llm_characters)


def _transcriber(settings: ServerSettings) -> Transcriber | None:
    if not settings.asr:
        return None
    if settings.asr == LOCAL or Path(settings.asr).is_dir():
        folder = "" if settings.asr == LOCAL else settings.asr
        check_whisper(folder)
        return LocalTranscriber(folder)
    address = address_of(settings.asr, "/audio/transcriptions", "the transcription service", "--asr")
    key = settings.asr_key
    if not key and settings.llm not in ("", ECHO):  # one service for both
        chat = address_of(settings.llm, "/chat/completions", "", "--llm")
        same = (chat.host, chat.port, chat.secure) == (address.host, address.port, address.secure)
        key = settings.llm_key if same else ""
    return RemoteTranscriber(address, settings.asr_model, key, settings.llm_timeout)
