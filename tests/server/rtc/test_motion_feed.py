"""A session that its viewer draws: motion instead of pictures, whatever the network does to it."""

from __future__ import annotations

import asyncio
import random

import numpy as np
import pytest
from support.live import Watcher, one_line, play, session, until

pytest.importorskip("aiortc")
pytest.importorskip("httpx")

from speechhead.motion.wire import motion_basis, unpack


class Drawer(Watcher):
    """A viewer that draws by itself; it reads every packet of motion that it gets."""

    def __init__(self, client, whep, **options) -> None:
        super().__init__(client, whep, **options)
        self.keep = False
        self.packets = []
        self.motion = self.connection.createDataChannel("motion", ordered=False, maxRetransmits=0)
        self.motion.on("message", lambda data: self.packets.append(unpack(motion_basis(), data)))

    def ask(self, mode):
        import json

        self.channel.send(json.dumps({"type": "view", "mode": mode}))


def test_what_a_viewer_draws_is_neither_drawn_nor_encoded_here():
    async def scenario(client, server):
        made = await session(client, drawn="viewer")
        running = server.sessions.get(made["id"])
        drawer = await Drawer(client, made["whep"]).connect(pictures=0)
        await until(lambda: len(drawer.packets) > 10 and drawer.heard("motion"))
        assert drawer.heard("hello")[0]["mode"] == "motion"
        assert drawer.heard("hello")[0]["offers"] == ["video", "motion", "sound"]
        assert running.stage.pictures.watched == 0 and running.stage.pictures.drawn == 0 and not drawer.pictures
        assert not running.views.drawn_here

        told = drawer.heard("motion")[-1]
        assert told["basis"] == motion_basis().name and len(told["rest"]) == 210 and len(told["pose"]) == 7
        numbers = [packet.first + i for packet in drawer.packets for i in range(len(packet.frames))]
        assert sorted(set(numbers)) == list(range(min(numbers), max(numbers) + 1)), "no gap without loss"
        assert all(len(packet.frames) == 4 for packet in drawer.packets[2:]) and 0 < drawer.packets[-1].lead < 0.4

        await client.post(f"/sessions/{made['id']}/say", json={"text": "one two three four five six"})
        await until(lambda: max(level for _, _, level in drawer.loudness or [(0, 0, 0)]) > 300)
        await until(lambda: drawer.heard("motion")[-1]["rtp"] is not None)
        epoch = drawer.packets[-1].epoch
        await client.post(f"/sessions/{made['id']}/interrupt")
        await until(lambda: drawer.packets[-1].epoch == epoch + 1)
        await drawer.close()

    play(scenario)


def test_a_viewer_changes_to_pictures_and_back_and_to_sound_alone():
    async def scenario(client, server):
        made = await session(client)
        running = server.sessions.get(made["id"])
        drawer = await Drawer(client, made["whep"]).connect(pictures=3)
        assert drawer.heard("hello")[0]["mode"] == "video" and not drawer.packets
        drawer.ask("motion")
        await until(lambda: len(drawer.packets) > 5)
        assert drawer.heard("view")[-1] == {"type": "view", "mode": "motion"} and not running.stage.pictures.watched
        await asyncio.sleep(0.3)
        late, seen = running.stage.pictures.late, len(drawer.pictures)
        await asyncio.sleep(0.3)
        assert len(drawer.pictures) == seen and running.stage.pictures.late == late

        drawer.ask("sound")
        await until(lambda: drawer.heard("view")[-1]["mode"] == "sound" and drawer.heard("controls"))
        assert running.stage.moves.deaf and drawer.heard("controls")[-1]["changes"]["blink_rate"] == 16
        count = len(drawer.packets)
        await client.patch(f"/sessions/{made['id']}/controls", json={"emotion": {"happy": 0.5}})
        await client.post(f"/sessions/{made['id']}/say", json={"text": "one two three"})
        await until(lambda: drawer.heard("done"))
        assert len(drawer.packets) <= count + 1 and max(level for _, _, level in drawer.loudness) > 300
        assert drawer.heard("controls")[-1]["changes"]["emotion"] == {"happy": 0.5}

        drawer.ask("video")
        await until(lambda: len(drawer.pictures) > seen + 3)
        drawer.ask("magic")
        await until(lambda: "magic" in drawer.heard("view")[-1].get("error", ""))
        assert drawer.heard("view")[-1]["mode"] == "video"
        await drawer.close()

    play(scenario)


def test_a_player_of_such_a_session_is_drawn_for_where_there_is_room():
    async def scenario(client, server):
        made = await session(client, drawn="viewer")
        player = Watcher(client, made["whep"])
        offer = player.connection
        await offer.setLocalDescription(await offer.createOffer())
        sdp = offer.localDescription.sdp
        bare = sdp[: sdp.index("m=application")].replace(" 2\r\n", "\r\n")
        bare = "\r\n".join("a=group:BUNDLE 0 1" if "BUNDLE" in line else line for line in bare.split("\r\n"))
        answer = await client.post(made["whep"], content=bare, headers={"Content-Type": "application/sdp"})
        assert answer.status_code == 201 and server.sessions.get(made["id"]).stage.pictures.watched == 1
        await player.close()
        other = await session(client, drawn="viewer")

        def full():
            from speechhead_server.core.problems import Refused

            raise Refused(503, "this machine has no room to draw the session here. Let its viewers draw it.", 10)

        server.sessions.get(other["id"]).views.may_draw = full
        answer = await client.post(other["whep"], content=bare, headers={"Content-Type": "application/sdp"})
        assert "Let its viewers draw" in one_line(answer, 503)
        drawer = await Drawer(client, other["whep"]).connect(pictures=0)
        await until(lambda: drawer.packets)
        drawer.ask("video")
        await until(lambda: drawer.heard("view"))
        assert drawer.heard("view")[0]["mode"] == "motion" and "no room" in drawer.heard("view")[0]["error"]
        await drawer.close()
        one_line(await client.post("/sessions", json={"drawn": "nobody"}), 422)

    play(scenario)


def test_a_listener_needs_no_pictures_and_no_motion():
    async def scenario(client, server):
        from aiortc import RTCConfiguration, RTCPeerConnection

        made = await session(client)
        listener = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        listener.addTransceiver("audio", "recvonly")
        await listener.setLocalDescription(await listener.createOffer())
        headers = {"Content-Type": "application/sdp"}
        answer = await client.post(made["whep"], content=listener.localDescription.sdp, headers=headers)
        assert answer.status_code == 201 and "m=audio" in answer.text
        running = server.sessions.get(made["id"])
        assert running.stage.moves.deaf and not running.stage.pictures.watched
        await listener.close()

    play(scenario)


@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_loss_and_reorder_lose_few_frames(loss):
    """An in-memory transport: every frame is in two packets, so that the loss of one alone loses none."""
    from speechhead.motion.wire import pack

    rng, basis, got = random.Random(1), motion_basis(), {}
    frames = np.random.default_rng(0).integers(-50, 50, (502, len(basis.whole)))
    packets = [pack(basis, 0, first, list(frames[first : first + 4])) for first in range(0, 498, 2)]
    held = sorted((i + rng.uniform(0, 2.5), data) for i, data in enumerate(packets) if rng.random() >= loss)
    for _, data in held:
        packet = unpack(basis, data)
        got.update({packet.first + i: frame for i, frame in enumerate(packet.frames)})
    assert all(np.array_equal(got[number], frames[number]) for number in got)
    assert len(got) >= (500 if not loss else 500 * (1 - 1.6 * loss**2))
