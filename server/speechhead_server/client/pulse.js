/** Whether anything still comes: a server that was killed says nothing, and WebRTC notices only after many seconds. */

const LOOK = 250; // ms between two looks
const QUIET = 900; // ms without a packet after which the server is asked; sound comes every 20 ms, silence too
const ANSWER = 4000; // ms in which it must answer
const ASLEEP = 2000; // ms between two looks from which this page did not run itself

export class Pulse {
  #count = -1;
  #came = 0;
  #looked = 0;
  #asking = false;
  #timer = 0;

  /**
   * @param {RTCPeerConnection} pc
   * @param {Function} ask asks the server for the session; rejects with a Problem whose status is 0 or 404 if it is gone
   * @param {Function} lost called once, when nothing comes and the server or the session is gone
   */
  constructor(pc, ask, lost) {
    this.look = { pc, ask, lost };
    this.#looked = this.#came = performance.now();
    this.#timer = setInterval(() => this.#beat().catch(() => {}), LOOK);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = 0;
  }

  async #beat() {
    const now = performance.now();
    const slept = now - this.#looked > ASLEEP;
    this.#looked = now;
    const count = await received(this.look.pc);
    if (count !== this.#count || slept) {
      this.#count = count;
      this.#came = now;
    } else if (now - this.#came >= QUIET && !this.#asking) {
      this.#asking = true;
      const gone = await this.#gone();
      this.#asking = false;
      this.#came = performance.now();
      if (gone && this.#timer && count === (await received(this.look.pc))) {
        this.stop();
        this.look.lost();
      }
    }
  }

  /** Whether the server does not answer, or knows the session no more; only its path for media may be broken. */
  async #gone() {
    const late = new Promise((resolve) => setTimeout(() => resolve(true), ANSWER));
    const asked = this.look.ask().then(() => false, ({ status }) => [0, 404].includes(status));
    return Promise.race([asked, late]);
  }
}

/** Packets and messages that have come so far. */
async function received(pc) {
  let count = 0;
  for (const report of (await pc.getStats()).values()) {
    if (report.type === "inbound-rtp") count += report.packetsReceived ?? 0;
    if (report.type === "data-channel") count += report.messagesReceived ?? 0;
  }
  return count;
}
