"""That a stream is synthetic, said within it: in every keyframe of H.264, and in the session's description."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator

from speechhead.media.writer import COMMENT

NOTICE = uuid.uuid5(uuid.NAMESPACE_URL, "https://speechhead.example/disclosure").bytes
"""Tells our notice from other users' data (H.264, annex D.1.7: user data unregistered)."""

SEI, IDR, USER_DATA = 6, 5, 5


def notice_unit(text: str = COMMENT) -> bytes:
    """A text as a NAL unit of H.264 that decoders pass over; ASCII of 1 to 200 characters."""
    data = NOTICE + text.encode("ascii")
    if not text or len(text) > 200:
        raise ValueError(text)
    unit = bytes([USER_DATA, len(data)]) + data + b"\x80"
    # No two zero bytes may be followed by one below 4.
    return bytes([SEI]) + re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", unit)


UNIT = notice_unit()


def with_notice(units: Iterable[bytes]) -> Iterator[bytes]:
    """The NAL units of a picture; before a keyframe's own first slice, the notice."""
    said = False
    for unit in units:
        if unit[0] & 0x1F == IDR and not said:
            said = True
            yield UNIT
        yield unit


def titled(sdp: str) -> str:
    """A description whose session is named by the notice."""
    return re.sub(r"(?m)^s=[^\r\n]*", f"s={COMMENT}", sdp, count=1)
