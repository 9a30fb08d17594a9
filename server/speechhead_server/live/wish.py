"""What a session is asked to be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import ImageColor

from speechhead_server.core.problems import Refused

DRAWN = ("server", "viewer")
"""Who may draw the pictures of a session."""

MOST_SEED = 2**31 - 1
"""Seeds are drawn up to here where none is asked for."""

WORDS = re.compile(r"#?[0-9a-zA-Z(),.% ]{1,40}")


@dataclass(frozen=True)
class SessionWish:
    """A session that somebody asks for; None leaves the choice to the server.

    avatar, voice, generator: by their names
    size: of the square picture, in pixels
    background: a colour that is to be behind the person
    controls: changes of the defaults, by field of Controls
    drawn: by "server" or by "viewer"; what viewers draw costs the server little, and it has room for more of it
    seed: of blinks, glances and head motion: another take of the same, or the same one again

    Raises
    ------
    Refused (422) for a background that is no colour, and for a seed that is none.
    """

    avatar: str | None = None
    voice: str | None = None
    size: int | None = None
    generator: str | None = None
    background: str | None = None
    controls: Mapping[str, Any] = field(default_factory=dict)
    drawn: str = "server"
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.seed is not None and not 0 <= self.seed <= MOST_SEED:
            raise Refused(422, f"seed {str(self.seed)[:20]} is out of range. Use 0 to {MOST_SEED}.")
        if self.drawn not in DRAWN:
            raise Refused(422, f"drawn {self.drawn[:40]!r} is unknown. Use {' or '.join(DRAWN)}.")
        if self.background is None:
            return
        try:
            if not WORDS.fullmatch(self.background):
                raise ValueError
            if max(ImageColor.getrgb(self.background)) > 255:
                raise ValueError
        except ValueError:
            shown = self.background[:40]
            raise Refused(422, f"background {shown!r} is no colour. Give #rrggbb or the name of one.") from None
