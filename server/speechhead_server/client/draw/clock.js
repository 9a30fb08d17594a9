/** Media time as it is heard: by the RTP time of the sound that plays, or by when motion comes where that is not known. */

export const FPS = 25;
const RATE = 48_000; // of the sound's RTP time
const WRAP = 2 ** 32;
const STALE = 500; // ms after which the last sound says nothing any more
const JUMP = 0.12; // seconds beyond which a clock is set instead of being followed
const FOLLOW = 0.08; // part of a difference that is followed at each look
const BEHIND = 0.08; // seconds by which pictures lag where no sound tells the time: packets come unevenly
const WINDOW = 64; // packets that are remembered

/** The time of what is to be shown. */
export class MediaClock {
  /** @param {() => number} now ms @param {() => {timestamp: number, rtpTimestamp: number}[]} sources of the sound's receiver */
  constructor(now = () => performance.now(), sources = () => []) {
    this.now = now;
    this.sources = sources;
    this.origin = null; // RTP time of media time 0
    this.latency = 0; // seconds from the receiver to the ear
    this.byPackets = []; // media time minus ms of those that came
    this.offset = null; // seconds of media time minus now
    this.from = "none"; // or "packets", "sound"
  }

  /** A packet of motion has come. @param {{first: number, lead: number}} packet */
  packet({ first, lead }) {
    this.byPackets.push(first / FPS - lead - this.now() / 1000);
    if (this.byPackets.length > WINDOW) this.byPackets.shift();
  }

  /** Media time in seconds of what is to be shown now; null while nothing tells it. */
  seconds() {
    const now = this.now() / 1000;
    const measured = this.#bySound(now) ?? this.#byPackets();
    if (measured === null) return this.offset === null ? null : now + this.offset;
    const off = this.offset === null ? Infinity : measured - this.offset;
    this.offset = Math.abs(off) > JUMP ? measured : this.offset + FOLLOW * off;
    return now + this.offset;
  }

  /** The frame that is to be shown now, or in `ahead` seconds; or null. */
  frame(ahead = 0) {
    const seconds = this.seconds();
    return seconds === null ? null : Math.floor((seconds + ahead) * FPS + 1e-6);
  }

  #byPackets() {
    if (!this.byPackets.length) return null;
    this.from = "packets";
    return Math.max(...this.byPackets) - BEHIND; // the one that took the shortest way
  }

  #bySound(now) {
    if (this.origin === null) return null;
    const source = this.sources()[0];
    if (!source || source.rtpTimestamp === undefined) return null;
    const at = source.timestamp > 1e11 ? source.timestamp - performance.timeOrigin : source.timestamp;
    if (1000 * now - at > STALE) return null;
    let media = ((source.rtpTimestamp - this.origin + 2 * WRAP) % WRAP) / RATE;
    const about = this.byPackets.length ? now + Math.max(...this.byPackets) : media;
    media += Math.round((about - media) / (WRAP / RATE)) * (WRAP / RATE); // the RTP time begins anew every 25 hours
    if (this.byPackets.length && Math.abs(media - about) > 5) return null; // of another stream
    this.from = "sound";
    return media - at / 1000 - this.latency;
  }
}
