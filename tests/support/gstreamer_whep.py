"""A WHEP player of GStreamer's webrtcbin, run by the system's Python: what it decoded, as JSON.

python3 gstreamer_whep.py URL ENCODING SECONDS [TOKEN]
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

URL, ENCODING, SECONDS, TOKEN = (*sys.argv[1:], "")[:4]
COUNTS = {"audio": 0, "video": 0}
KEPT: list[object] = []

Gst.init(None)
pipeline = Gst.Pipeline.new("player")
web = Gst.ElementFactory.make("webrtcbin", "web")
web.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
pipeline.add(web)
told = {}

for kind, encoding, rate, payload in (("audio", "OPUS", 48000, 97), ("video", ENCODING, 90000, 96)):
    caps = f"application/x-rtp,media={kind},encoding-name={encoding},clock-rate={rate},payload={payload}"
    web.emit("add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, Gst.Caps.from_string(caps))


def came(_, pad):
    if pad.get_direction() != Gst.PadDirection.SRC:
        return
    decoder = Gst.ElementFactory.make("decodebin", None)
    decoder.connect("pad-added", decoded)
    pipeline.add(decoder)
    decoder.sync_state_with_parent()
    pad.link(decoder.get_static_pad("sink"))


def decoded(_, pad):
    kind = pad.get_current_caps().get_structure(0).get_name().partition("/")[0]
    sink = Gst.ElementFactory.make("fakesink", None)
    sink.set_property("signal-handoffs", True)
    sink.set_property("sync", False)
    sink.connect("handoff", lambda *_: COUNTS.__setitem__(kind, COUNTS[kind] + 1))
    pipeline.add(sink)
    sink.sync_state_with_parent()
    pad.link(sink.get_static_pad("sink"))


def offered(promise, *_):
    reply = promise.get_reply()
    offer = reply.get_value("offer")
    text = offer.sdp.as_text()
    web.emit("set-local-description", description(text, GstWebRTC.WebRTCSDPType.OFFER), Gst.Promise.new())


def description(text, kind):
    """A description that stays: the bindings free those that are read out of a promise, or were put into one."""
    _, message = GstSdp.SDPMessage.new_from_text(text)
    made = GstWebRTC.WebRTCSessionDescription.new(kind, message)
    KEPT.extend((message, made))
    return made


def gathered(element, _):
    if element.get_property("ice-gathering-state") != GstWebRTC.WebRTCICEGatheringState.COMPLETE:
        return
    local = element.get_property("local-description")
    text = local.sdp.as_text()
    headers = {"Content-Type": "application/sdp", **({"Authorization": f"Bearer {TOKEN}"} if TOKEN else {})}
    with urllib.request.urlopen(urllib.request.Request(URL, text.encode(), headers), timeout=20) as answer:
        told["location"], body = answer.headers["Location"], answer.read().decode()
    web.emit("set-remote-description", description(body, GstWebRTC.WebRTCSDPType.ANSWER), Gst.Promise.new())


web.connect("pad-added", came)
web.connect("on-negotiation-needed", lambda e: e.emit("create-offer", None, Gst.Promise.new_with_change_func(offered)))
web.connect("notify::ice-gathering-state", gathered)
pipeline.set_state(Gst.State.PLAYING)
end, context = time.monotonic() + float(SECONDS), GLib.MainContext.default()
while time.monotonic() < end:
    while context.iteration(False):
        pass
    time.sleep(0.01)
pipeline.set_state(Gst.State.NULL)
print(json.dumps({**COUNTS, **told}))
