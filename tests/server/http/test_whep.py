"""WHEP as players use it: candidates that come later, methods that are not there, H.264 of any profile."""

from __future__ import annotations

import asyncio
import re

import pytest

pytest.importorskip("aiortc")
pytest.importorskip("httpx")

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from support.live import play, session, until

FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}


async def offer() -> tuple[RTCPeerConnection, str]:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTransceiver("video", "recvonly")
    peer.addTransceiver("audio", "recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    return peer, peer.localDescription.sdp


def test_candidates_may_come_after_the_offer():
    async def scenario(client, server):
        made = await session(client)
        peer, sdp = await offer()
        late = re.findall(r"a=candidate:.*\r\n", sdp)
        bare = re.sub(r"a=(candidate:.*|end-of-candidates)\r\n", "", sdp)
        answer = await client.post(made["whep"], content=bare, headers={"Content-Type": "application/sdp"})
        assert answer.status_code == 201 and answer.headers["accept-patch"] == FRAGMENT["Content-Type"]
        assert "a=setup:passive" in answer.text  # so that it meets whatever keys the player has
        await peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        path, tag = answer.headers["location"], answer.headers["etag"]
        mids = re.findall(r"a=mid:(\S+)", sdp)
        known = "".join(re.search(rf"a=ice-{name}:\S+\r\n", sdp)[0] for name in ("ufrag", "pwd"))
        body = f"{known}m=video 9 X 0\r\na=mid:{mids[0]}\r\n" + "".join(late)
        for match, content, status in (
            (None, body.replace(known, ""), 428),
            ('"another"', body, 412),
            (tag, "nothing", 400),
            (tag, "a=candidate:x\r\n", 400),
            (tag, "a=ice-ufrag:new\r\na=ice-pwd:new\r\n" + late[0], 422),  # an ICE restart
            ("*", body, 204),  # as MediaMTX's page sends it
            (tag, body, 204),
            (None, body, 204),  # as whip-whep sends it: the session is named by its own ufrag
        ):
            headers = FRAGMENT | ({"If-Match": match} if match else {})
            assert (await client.patch(path, content=content, headers=headers)).status_code == status, (match, content)
        wrong = await client.patch(path, content=body, headers={"Content-Type": "text/plain", "If-Match": tag})
        assert wrong.status_code == 415 and wrong.headers["accept-patch"] == FRAGMENT["Content-Type"]
        await until(lambda: peer.connectionState == "connected")
        assert (await client.delete(path)).status_code == 200
        await peer.close()

    play(scenario)


def test_a_reader_as_mediamtx_has_it_is_served():
    """By its protocol: OPTIONS for ICE servers, a bare offer, candidates one by one under `*`, a restart, the end."""

    async def scenario(client, server):
        headers = {"Authorization": "Bearer a-token"}
        assert "link" not in (await client.options("/whep")).headers  # which are for those who may watch
        asked = await client.options("/whep", headers=headers)
        links = asked.headers.get_list("link")
        assert asked.status_code == 204 and len(links) == 1 and "turn:turn.invalid:3478" in links[0]
        assert re.search(r'; username="\d+:\w+"; credential="[^"]+"; credential-type="password"$', links[0])
        peer, sdp = await offer()
        late = re.findall(r"a=(candidate:.*)\r\n", sdp)
        bare = re.sub(r"a=(candidate:.*|end-of-candidates)\r\n", "", sdp)
        answer = await client.post("/whep", content=bare, headers=headers | {"Content-Type": "application/sdp"})
        assert answer.status_code == 201 and len(answer.headers.get_list("link")) == 1
        ufrag, pwd = (re.search(rf"a=ice-{name}:(\S+)", sdp)[1] for name in ("ufrag", "pwd"))
        mid, path = re.search(r"a=mid:(\S+)", sdp)[1], answer.headers["location"]
        await peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        media = f"m=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:{mid}\r\n"
        sends = headers | FRAGMENT | {"If-Match": "*"}
        for one in late:
            body = (
                f"a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:{mid}\r\na={one}\r\n"
            )
            assert (await client.patch(path, content=body, headers=sends)).status_code == 204
        await until(lambda: peer.connectionState == "connected")
        new = f"a=ice-ufrag:{ufrag}X\r\na=ice-pwd:{pwd}X\r\n{media}a={late[0]}\r\n"
        assert (await client.patch(path, content=new, headers=sends)).status_code == 422  # it begins anew then
        assert (await client.delete(path)).status_code == 401
        assert (await client.delete(path, headers=headers)).status_code == 200
        await until(lambda: not len(server.sessions))
        await peer.close()

    play(scenario, token="a-token", turn=("turn:turn.invalid:3478",), turn_secret="shared")


def test_methods_that_are_not_there_name_those_that_are():
    async def scenario(client, server):
        for path, allowed in (("/whep", "POST"), ("/sessions/x/say", "POST"), ("/avatars", "GET"), ("/config", "GET")):
            answer = await client.put(path)
            assert answer.status_code == 405 and allowed in answer.headers["allow"].split(", ")
        assert (await client.get("/whep")).status_code == (await client.head("/whep")).status_code == 405
        head = await client.head("/config")
        assert head.status_code == 200 and not head.content and int(head.headers["content-length"]) > 50
        assert (await client.head("/")).status_code == 200 and (await client.delete("/nowhere")).status_code == 404
        asked = await client.post("/whep", content="v=0", headers={"Content-Type": "text/plain"})
        assert asked.status_code == 415 and asked.headers["accept-post"] == "application/sdp"
        headers = {"Content-Type": "application/sdp", "Accept": "text/html"}
        assert (await client.post("/whep", content="v=0", headers=headers)).status_code == 406

    play(scenario)


@pytest.mark.parametrize("codec", ["packetization-mode=1;profile-level-id=640c1f", "profile-level-id=42e01f", ""])
def test_h264_alone_of_any_profile_is_played(codec):
    async def scenario(client, server):
        peer, sdp = await offer()
        number = re.search(r"a=rtpmap:(\d+) H264/90000", sdp)[1]
        head, _, rest = sdp.partition("m=video ")
        rest = re.sub(r"^(\d+ \S+) .*", rf"\g<1> {number}", rest, count=1)
        rest = re.sub(rf"a=(rtpmap|fmtp|rtcp-fb):(?!{number} )(?!.*opus).*\r\n", "", rest.partition("m=audio")[0]) + (
            "m=audio" + rest.partition("m=audio")[2]
        )
        line = f"a=fmtp:{number} {codec}\r\n" if codec else ""
        rest = re.sub(rf"a=fmtp:{number} .*\r\n", line, rest)
        answer = await client.post(
            "/whep", content=head + "m=video " + rest, headers={"Content-Type": "application/sdp"}
        )
        assert answer.status_code == 201 and f"a=rtpmap:{number} H264/90000" in answer.text, answer.text
        await peer.close()

    play(scenario)


def test_a_hundred_players_that_leave_at_once_leave_nothing_behind():
    async def scenario(client, server):
        peer, sdp = await offer()

        async def come_and_go():
            answer = await client.post("/whep", content=sdp, headers={"Content-Type": "application/sdp"})
            assert answer.status_code in (201, 503), answer.text
            if answer.status_code == 201:
                both = await asyncio.gather(*(client.delete(answer.headers["location"]) for _ in range(2)))
                assert sorted(one.status_code for one in both)[0] == 200

        await asyncio.gather(*(come_and_go() for _ in range(12)))
        await until(lambda: not len(server.sessions))
        assert "speechhead_sessions_ended_total" in (await client.get("/metrics")).text
        await peer.close()

    play(scenario, rate=1000, burst=1000, max_sessions=6)
