"""Session descriptions: what is refused of an offer, what is read into it, and what an answer says besides."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from speechhead_server.core.problems import Refused

LONGEST = 64 * 1024
"""Bytes of a description at most; browsers send about 5 kB."""

CANDIDATES = 64
"""Addresses of a viewer at most, of an offer and of one fragment: each of them is asked whether it is there."""

BASELINE = "packetization-mode=1;level-asymmetry-allowed=1;profile-level-id=42e01f"
"""H.264 as it is sent: Constrained Baseline, which every decoder of a higher profile plays."""


@dataclass(frozen=True)
class IceFragment:
    """What a trickle request brings (RFC 8840): credentials, and candidates by medium.

    ufrag, password: empty where they are left out; candidates: (mid or number of the medium, candidate line)
    """

    ufrag: str
    password: str
    candidates: list[tuple[str | int, str]]
    complete: bool


def check_offer(offer: str) -> None:
    """Refuse what is no SDP offer of a browser or player before anything is built for it."""
    if len(offer) > LONGEST:
        raise Refused(413, f"SDP of {len(offer)} bytes is too long (at most {LONGEST}).")
    if not offer.lstrip().startswith("v=0"):
        raise Refused(400, "the body is no SDP offer: it does not begin with v=0. Send pc.localDescription.sdp.")
    media = re.findall(r"^m=(\w+) ", offer, re.MULTILINE)
    if not media or set(media) - {"audio", "video", "application"} or "video" not in media and "audio" not in media:
        has = f"asks for {', '.join(name[:20] for name in media[:4])}" if media else "asks for no media"
        raise Refused(400, f"the SDP offer {has}. Offer audio and video.")
    if any(media.count(kind) > 1 for kind in media):
        raise Refused(400, "the SDP offer has several media of one kind. Offer one audio and one video.")
    for needed in ("ice-ufrag", "ice-pwd", "fingerprint", "mid"):
        if not re.search(rf"^a={needed}:\S+", offer, re.MULTILINE):
            raise Refused(400, f"the SDP offer has no a={needed}. Send the whole of pc.localDescription.sdp.")


def lenient(offer: str) -> str:
    """An offer in which H.264 is read as the profile that is sent, where nothing else of its pictures fits.

    Players name a higher profile, or leave packetization-mode out, and play Constrained Baseline in fragments all the
    same; taken by the letter of RFC 6184 they would get no picture at all.
    """
    parts = re.split(r"(?m)^(?=m=)", _few(offer))
    return "".join(_with_baseline(part) if part.startswith("m=video") else part for part in parts)


def _few(offer: str) -> str:
    """An offer without the candidates of one that names too many."""
    count = itertools.count()
    return re.sub(r"(?m)^a=candidate:[^\n]*\n?", lambda found: found[0] if next(count) < CANDIDATES else "", offer)


def _with_baseline(video: str) -> str:
    codecs = dict(re.findall(r"(?m)^a=rtpmap:(\d+) ([\w-]+)/90000", video))
    h264 = [number for number, name in codecs.items() if name.upper() == "H264"]
    if not h264 or any(name.upper() == "VP8" for name in codecs.values()):
        return video
    formats = dict(re.findall(r"(?m)^a=fmtp:(\d+) ([^\r\n]*)", video))
    for number in h264:
        said = formats.get(number, "").replace(" ", "").lower()
        if "packetization-mode=1" in said and re.search(r"profile-level-id=42", said):
            return video
    number = h264[0]
    line = f"a=fmtp:{number} {BASELINE}"
    if number in formats:
        return re.sub(rf"(?m)^a=fmtp:{number} [^\r\n]*", line, video, count=1)
    return re.sub(rf"(?m)^(a=rtpmap:{number} [^\r\n]*(\r?\n))", rf"\g<1>{line}\g<2>", video, count=1)


def read_fragment(text: str) -> IceFragment:
    """The content of a trickle request; 400 for what is none."""
    if len(text) > LONGEST:
        raise Refused(413, f"a fragment of {len(text)} bytes is too long (at most {LONGEST}).")
    ufrag, password, mid, number = "", "", "", -1
    found: list[tuple[str | int, str]] = []
    complete = False
    for line in text.splitlines():
        name, _, value = line.strip().partition(":")
        if line.startswith("m="):
            mid, number = "", number + 1
        elif name == "a=mid":
            mid = value
        elif name == "a=ice-ufrag":
            ufrag = value
        elif name == "a=ice-pwd":
            password = value
        elif name == "a=candidate" and value:
            found.append((mid or max(0, number), value))
        elif name == "a=end-of-candidates":
            complete = True
    if not (ufrag or found or complete):
        raise Refused(400, "the fragment has no candidate. Send a=candidate lines, or wait for ICE gathering.")
    if len(found) > CANDIDATES:
        raise Refused(400, f"{len(found)} candidates are too many (at most {CANDIDATES}).")
    return IceFragment(ufrag, password, found, complete)


def credentials(offer: str) -> frozenset[tuple[str, str]]:
    """ICE user fragments and passwords of a description's media."""
    ufrags, passwords = (re.findall(rf"(?m)^a=ice-{name}:(\S+)", offer) for name in ("ufrag", "pwd"))
    return frozenset(zip(ufrags, passwords))


def announce(sdp: str, public_ip: str) -> str:
    """An answer that also names the public address of a host behind one-to-one NAT, such as a container's."""
    if not public_ip:
        return sdp
    lines: list[str] = []
    told: set[str] = set()
    for line in sdp.splitlines():
        found = re.match(r"a=candidate:(\S+) (\d+) (\S+) (\d+) (\S+) (\d+) typ host", line)
        if line.startswith("m="):
            told.clear()
        if found and (":" in found[5]) == (":" in public_ip) and found[6] not in told:
            told.add(found[6])
            priority = int(found[4]) + 1
            lines.append(f"a=candidate:{found[1]}p {found[2]} {found[3]} {priority} {public_ip} {found[6]} typ host")
        lines.append(line)
    return "\r\n".join(lines) + "\r\n"
