"""The WebSockets of a session."""

from __future__ import annotations

from fastapi import FastAPI, WebSocket

from speechhead_server.live.sessions import Sessions

from .pcm import serve_pcm
from .talk import Conversations, serve_talk
from .text import serve_text

STREAMS = (
    "Besides what is listed here there are WebSockets, which OpenAPI can not describe: `/sessions/{name}/text` takes "
    'a text as it is written (`{"text": "..."}`, `{"end": true}`, `{"clear": true}`) and speaks it by sentences, '
    "`/sessions/{name}/pcm` takes live sound, `/sessions/{name}/talk` is a conversation. "
    "server/PROTOCOL.md has their messages."
)
"""What OpenAPI says of them."""


def add_streams(api: FastAPI, sessions: Sessions, conversations: Conversations) -> None:
    """Their routes."""

    @api.websocket("/sessions/{name}/text")
    async def text(socket: WebSocket, name: str) -> None:
        """Text as it is written."""
        await serve_text(socket, sessions, name)

    @api.websocket("/sessions/{name}/pcm")
    async def pcm(socket: WebSocket, name: str) -> None:
        """Live sound."""
        await serve_pcm(socket, sessions, name)

    @api.websocket("/sessions/{name}/talk")
    async def talk(socket: WebSocket, name: str) -> None:
        """A conversation."""
        await serve_talk(socket, sessions, conversations, name)
