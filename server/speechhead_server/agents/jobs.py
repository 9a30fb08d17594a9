"""What a worker is asked for, and how it is set up."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from speechhead.avatar.named import named_portraits
from speechhead.core.errors import DeviceError, ServerError
from speechhead.core.options import ENGINES, GRAPHS, PRECISIONS, RenderOptions, check_device, check_size
from speechhead.core.records import check, option
from speechhead_server.core.addresses import check_rooms, check_secret

AGENT = "speechhead-avatar"
"""Name under which the worker is dispatched."""

SIZE = 512
"""Side of the picture where none is asked for."""


@dataclass(frozen=True)
class AvatarJob:
    """What is asked of one avatar; it travels as the metadata of a dispatch.

    identity: of the avatar in its room; agent: identity of the agent whose speech it says, empty for anybody's
    portrait: a name that `speechhead avatars` of the worker lists, None for its default one; size: pixels
    """

    identity: str
    agent: str = ""
    portrait: str | None = None
    size: int = SIZE

    def check_here(self) -> None:
        """Whether this machine can do it.

        Raises
        ------
        ServerError or ImageError for what is not usable: only names, since a path would open files of this machine.
        """
        for name in ("identity", "agent"):
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) > 200 or (name == "identity" and not value):
                raise ServerError(f"{name} {str(value)[:40]!r} is not usable. Give a name of 1 to 200 characters.")
        check_size(self.size)
        if self.portrait is not None and self.portrait not in named_portraits():
            known = ", ".join(named_portraits())
            raise ServerError(f"portrait {str(self.portrait)[:40]!r} is unknown here. Use one of {known}.")

    @classmethod
    def from_metadata(cls, text: str) -> AvatarJob:
        """Read what `metadata` wrote."""
        try:
            fields = json.loads(text or "{}")
            assert isinstance(fields, dict)
            return cls(**fields)
        except (ValueError, TypeError, AssertionError, RecursionError):
            raise ServerError("the dispatch's metadata is no avatar job. Start it with livekit_session.") from None

    @property
    def metadata(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class WorkerSettings:
    """How the worker runs; what is not given is LiveKit's own variable."""

    url: str = option("", help="LiveKit server, as wss://host", note="LIVEKIT_URL", error=ServerError)
    api_key: str = option("", help="Its API key", note="LIVEKIT_API_KEY", error=ServerError)
    api_secret: str = option(
        "", help="Its secret", note="seen in ps, so better LIVEKIT_API_SECRET", secret=True, error=ServerError
    )
    agent_name: str = option(AGENT, help="Name to be dispatched by", error=ServerError)
    size: int = option(
        SIZE, help="Side of the picture that is planned with", low=64, high=2048, even=True, error=ServerError
    )
    generator: str = option(
        "compact", help="What draws: compact, a family or a name from `weights list`", metavar="NAME", error=ServerError
    )
    engine: str = option("auto", help="What runs the networks", choices=ENGINES, metavar="NAME", error=DeviceError)
    device: str = option("auto", help="Where they run: auto, cpu or cuda", metavar="NAME", error=DeviceError)
    precision: str = option(
        "auto", help="Numbers in which a family draws", choices=PRECISIONS, metavar="NAME", error=DeviceError
    )
    graph: str = option("auto", help="How networks are launched", choices=GRAPHS, metavar="NAME", error=DeviceError)
    sessions: int | None = option(
        None, help="Avatars at a time", low=1, whole=True, unset="what the machine holds", error=ServerError
    )
    drain_seconds: int = option(
        600, help="Wait at the end for avatars that run", low=0, high=86400, whole=True, error=ServerError
    )

    def __post_init__(self) -> None:
        check(self)
        check_device(self.device)
        check_rooms(self.url, "--url")
        for name in ("api_key", "api_secret"):
            check_secret(name, getattr(self, name))

    @property
    def drawing(self) -> RenderOptions:
        """What draws its avatars, and where."""
        return RenderOptions(
            generator=self.generator,
            engine=self.engine,
            device=self.device,
            precision=self.precision,
            graph=self.graph,
        )

    @classmethod
    def from_environment(cls, given: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> WorkerSettings:
        """Settings from the options that were given, then from LiveKit's variables.

        Raises
        ------
        ServerError naming what is missing.
        """
        values = {name: value for name, value in given.items() if value is not None}
        for name, variable in (
            ("url", "LIVEKIT_URL"),
            ("api_key", "LIVEKIT_API_KEY"),
            ("api_secret", "LIVEKIT_API_SECRET"),
        ):
            values.setdefault(name, environment.get(variable, ""))
            if not values[name]:
                raise ServerError(f"--{name.replace('_', '-')} is missing. Give it, or set {variable}.")
        return cls(**values)
