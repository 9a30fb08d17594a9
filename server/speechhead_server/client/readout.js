/** The live figures: what this end measures and what the server says of itself. */

const ms = (value) => (Number.isFinite(value) ? `${Math.round(value)} ms` : "–");
const signed = (value) => (Number.isFinite(value) ? `${value > 0 ? "+" : value < 0 ? "−" : ""}${ms(Math.abs(value))}` : "–");

const EVERY = 1000; // ms between two measurements

export class Readout {
  #timer = 0;
  #smooth;

  /**
   * @param {Document} page with the elements r-fps, r-delay, r-skew, r-lost, r-first and figures
   * @param {Function} server its statistics, a promise
   * @param {(fps: number, sent: number) => void} pace told how many pictures came, and left the server, in each second
   */
  constructor(page, server, pace) {
    this.page = page;
    this.server = server;
    this.pace = pace;
  }

  start(connection) {
    this.stop();
    this.#smooth = undefined;
    const look = async () => {
      try {
        const [here, there] = await Promise.all([connection.measure(), this.server()]);
        if (this.#timer) this.#show(here, there);
        if (this.#timer && !this.page.hidden) this.pace(here.fps, there.fps);
      } catch {
        // The next look tells; what is wrong with the connection is told elsewhere.
      }
      if (this.#timer) this.#timer = setTimeout(look, EVERY);
    };
    this.#timer = setTimeout(look, EVERY);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    for (const id of ["fps", "delay", "skew", "lost", "first"]) this.#set(id, "–", "");
    this.page.getElementById("figures").replaceChildren();
  }

  #show(here, there) {
    // Half a round trip, and what the jitter buffer holds back: the way from the server to the eye.
    const delay = (here.rtt ?? NaN) / 2 + (here.buffer ?? NaN);
    if (Number.isFinite(here.skew)) this.#smooth = (this.#smooth ?? here.skew) * 0.7 + here.skew * 0.3;
    const skew = this.#smooth ?? there.skew_ms ?? NaN;
    this.#set("fps", `${Math.round(here.fps)} fps`, here.fps >= 23 ? "good" : here.fps >= 15 ? "fair" : "poor");
    this.#set("delay", ms(delay), delay < 150 ? "good" : delay < 400 ? "fair" : Number.isFinite(delay) ? "poor" : "");
    const off = Math.abs(skew);
    this.#set("skew", signed(skew), off <= 45 ? "good" : off <= 100 ? "fair" : off > 100 ? "poor" : "");
    const lost = here.lost ?? 0;
    this.#set("lost", `${(100 * lost).toFixed(lost > 0 ? 1 : 0)} %`, lost < 0.01 ? "good" : lost < 0.05 ? "fair" : "poor");
    const first = there.first_frame_ms ?? NaN;
    this.#set("first", ms(first), first <= 700 ? "good" : first <= 1500 ? "fair" : first > 1500 ? "poor" : "");
    this.#list({
      "Picture": [here.size, here.codec, Number.isFinite(here.rate) && `${Math.round(here.rate)} kbit/s`],
      "Path": [here.path?.join(" to ")],
      "Round trip": [ms(here.rtt)],
      "Jitter buffer": [ms(here.buffer)],
      "Skew as sent": [signed(there.skew_ms ?? NaN)],
      "Skew as played": [signed(this.#smooth ?? NaN)],
      "Drift as sent": [Number.isFinite(there.drift_ms_per_minute) && `${there.drift_ms_per_minute} ms a minute`],
      "Drawing a frame": [ms(there.draw_ms)],
      "Frames left out": [`${there.late} of ${there.frames + there.late}`],
      "Text to first frame": [ms(there.first_frame_ms ?? NaN)],
      "Stop to rest": [ms(there.interrupt_ms ?? NaN)],
    });
  }

  #set(id, text, quality) {
    const shown = this.page.getElementById(`r-${id}`);
    shown.textContent = text;
    shown.dataset.quality = quality;
  }

  #list(figures) {
    const rows = Object.entries(figures).map(([name, parts]) => {
      const row = document.createElement("div");
      const value = parts.filter(Boolean).join(", ") || "–";
      row.append(
        Object.assign(document.createElement("dt"), { textContent: name }),
        Object.assign(document.createElement("dd"), { textContent: value }));
      return row;
    });
    this.page.getElementById("figures").replaceChildren(...rows);
  }
}
