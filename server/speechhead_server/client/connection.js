/** One WebRTC connection made by WHEP: the avatar's picture and sound, the data channel, the microphone upwards. */

import { Problem } from "./api.js";
import { Pulse } from "./pulse.js";

const GATHER = 2000; // ms for candidates; hosts are there at once, STUN and TURN may need a moment
const CONNECT = 15000; // ms after the answer within which media must flow
const GRACE = 5000; // ms for which a broken path may mend itself

/** Media can't get through: what the two sides tried. */
export class NoPath extends Error {
  constructor(local, remote) {
    super("no path for media");
    this.local = local; // kinds of candidates: host, srflx, relay
    this.remote = remote; // addresses in the server's answer
  }
}

/**
 * @param {Api} api
 * @param {string} whep path of the session's endpoint
 * @param {object[]} iceServers as the server's configuration has them
 * @param {{message: Function, lost: Function, motion?: Function}} on called with data-channel messages; if the path breaks
 *   later; with packets of motion, for whoever draws by itself
 */
export class Connection {
  #api;
  #whep;
  #on;
  #voice;
  #channel;
  #location = "";
  #settle = null;
  #pulse = null;
  #timer = 0;
  #closed = false;
  #last = new Map();

  constructor(api, whep, iceServers, on) {
    this.stream = new MediaStream();
    this.microphone = null;
    this.#api = api;
    this.#whep = whep;
    this.#on = on;
    const pc = (this.pc = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" }));
    // Audio both ways from the start: a microphone can then come and go without another offer.
    this.#voice = pc.addTransceiver("audio", { direction: "sendrecv" }).sender;
    pc.addTransceiver("video", { direction: "recvonly" });
    this.#channel = pc.createDataChannel("speechhead");
    this.#channel.onmessage = ({ data }) => on.message(JSON.parse(data));
    if (on.motion) { // late motion is worth nothing: what is lost stays lost
      const motion = pc.createDataChannel("motion", { ordered: false, maxRetransmits: 0 });
      motion.binaryType = "arraybuffer";
      motion.onmessage = ({ data }) => this.#closed || on.motion(data);
    }
    pc.ontrack = ({ track }) => this.stream.addTrack(track);
    pc.onconnectionstatechange = () => this.#changed();
  }

  /** Resolves when media can flow; rejects with a Problem of the server or with NoPath. */
  async open() {
    const { pc } = this;
    await pc.setLocalDescription(await pc.createOffer());
    await gathered(pc);
    const body = pc.localDescription.sdp;
    const response = await this.#api.send("POST", this.#whep, { body, type: "application/sdp" });
    this.#location = response.headers.get("Location") ?? "";
    const answer = await response.text();
    if (this.#closed) {
      this.#leave();
      throw new DOMException("closed", "AbortError");
    }
    const flowing = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.#timer = setTimeout(() => this.#failed(), CONNECT);
    await pc.setRemoteDescription({ type: "answer", sdp: answer });
    await flowing;
    const session = this.#whep.replace(/\/whep$/, "");
    this.#pulse = new Pulse(pc, () => this.#api.send("GET", session), () => this.#lost());
  }

  /** Send a message on the data channel; false if it is not open. */
  tell(message) {
    if (this.#channel.readyState !== "open") return false;
    this.#channel.send(JSON.stringify(message));
    return true;
  }

  /** When which sound was last played, see RTCRtpReceiver.getSynchronizationSources. */
  sources() {
    return this.pc.getReceivers().find(({ track }) => track.kind === "audio")?.getSynchronizationSources?.() ?? [];
  }

  /** Send the microphone, or nothing. */
  async speak(track) {
    await this.#voice.replaceTrack(track);
    this.microphone = track;
  }

  /** What is measured at this end; values that are not known are undefined. */
  async measure() {
    const found = { fps: 0 };
    const reports = await this.pc.getStats();
    const inbound = {};
    for (const report of reports.values()) {
      if (report.type === "inbound-rtp") inbound[report.kind] = report;
      if (report.type === "candidate-pair" && report.nominated && report.state === "succeeded") {
        found.rtt = 1000 * report.currentRoundTripTime;
        found.path = ["local", "remote"].map((side) => reports.get(report[`${side}CandidateId`])?.candidateType);
      }
    }
    const { video, audio } = inbound;
    if (video) {
      found.fps = video.framesPerSecond ?? 0;
      found.size = video.frameWidth && `${video.frameWidth} × ${video.frameHeight}`;
      found.codec = reports.get(video.codecId)?.mimeType.split("/")[1];
      const lost = this.#since("lost", video.packetsLost + (audio?.packetsLost ?? 0));
      const received = this.#since("received", video.packetsReceived + (audio?.packetsReceived ?? 0));
      found.lost = lost + received > 0 ? Math.max(0, lost) / (lost + received) : 0;
      found.rate = (8 * this.#since("bytes", video.bytesReceived)) / this.#since("at", video.timestamp);
      const frames = this.#since("frames", video.jitterBufferEmittedCount);
      const waited = this.#since("waited", video.jitterBufferDelay);
      if (frames > 0) found.buffer = (1000 * waited) / frames;
    }
    if (audio?.estimatedPlayoutTimestamp && video?.estimatedPlayoutTimestamp) {
      found.skew = audio.estimatedPlayoutTimestamp - video.estimatedPlayoutTimestamp;
    }
    return found;
  }

  /** End it here, and at the server unless `farewell` is false because the whole session ends. */
  close(farewell = true) {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#pulse?.stop();
    this.pc.onconnectionstatechange = null;
    this.#channel.onmessage = null;
    this.pc.close();
    this.#settle?.reject(new DOMException("closed", "AbortError"));
    if (farewell) this.#leave();
  }

  #leave() {
    if (this.#location) this.#api.send("DELETE", this.#location).catch(() => {});
    this.#location = "";
  }

  #changed() {
    const state = this.pc.connectionState;
    if (state === "connected") {
      clearTimeout(this.#timer);
      this.#settle?.resolve();
      this.#settle = null;
    } else if (state === "failed") {
      this.#failed();
    } else if (state === "disconnected") {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#failed(), GRACE);
    }
  }

  #failed() {
    clearTimeout(this.#timer);
    if (this.#closed || this.pc.connectionState === "connected") return;
    const sides = [this.pc.localDescription, this.pc.remoteDescription].map((d) => d?.sdp ?? "");
    const local = [...sides[0].matchAll(/^a=candidate:.* typ (\w+)/gm)].map((found) => found[1]);
    const remote = [...sides[1].matchAll(/^a=candidate:\S+ \d+ \S+ \d+ (\S+) /gm)].map((found) => found[1]);
    if (this.#settle) this.#settle.reject(new NoPath(new Set(local), new Set(remote)));
    else this.#lost();
    this.#settle = null;
  }

  #lost() {
    clearTimeout(this.#timer);
    this.#pulse?.stop();
    this.pc.onconnectionstatechange = null; // told once
    if (!this.#closed) this.#on.lost();
  }

  /** Growth of a counter since the last look. */
  #since(name, value = 0) {
    const before = this.#last.get(name) ?? 0;
    this.#last.set(name, value);
    return value - before;
  }
}

/** Calls `seen` when the first frame has come. */
export function whenSeen(video, seen) {
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(seen);
  else video.addEventListener("playing", seen, { once: true });
}

function gathered(pc) {
  if (pc.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, GATHER);
    pc.addEventListener("icegatheringstatechange", () => {
      if (pc.iceGatheringState !== "complete") return;
      clearTimeout(timer);
      resolve();
    });
  });
}

/** The visitor's microphone track; a Problem that says what to do where there is none. */
export async function openMicrophone() {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Problem(
      "Browsers give the microphone to secure pages only. Open this page over https, or as http://localhost on the server itself.");
  }
  try {
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    return (await navigator.mediaDevices.getUserMedia({ audio })).getAudioTracks()[0];
  } catch (error) {
    const said = {
      NotAllowedError: "This page may not use the microphone. Allow it in the address bar's site settings, then press the button again.",
      NotFoundError: "No microphone was found. Plug one in, or choose one in the system's sound settings, then press the button again.",
      NotReadableError: "The microphone is taken by another program. Close it there, then press the button again.",
    };
    throw new Problem(said[error.name] ?? `The microphone could not be opened (${error.name}). Choose another one in the system's sound settings.`);
  }
}
