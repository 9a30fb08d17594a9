/** Whether pictures still move: what comes too slowly for too long is said, once. */

const SLOW = 5; // pictures a second below which a face hardly moves
const WELL = 10; // from which it does again
const LOOKS = 3; // in a row, a second each

/** Pictures stand nearly still. */
export class StandingStill extends Error {
  /**
   * @param {number} fps that come
   * @param {number} sent that the server sends
   * @param {number | null} smaller the next smaller size that is offered
   */
  constructor(fps, sent, smaller) {
    super("the pictures hardly move");
    Object.assign(this, { fps, smaller });
    this.network = sent >= WELL; // the server keeps up, and they do not come through
  }
}

export class Pace {
  #slow = 0;
  #well = 0;
  #said = false;

  /** @param {{slow: (fps: number, sent: number) => void, well: () => void}} on called when it is too slow, and when it is well again */
  constructor(on) {
    this.on = on;
  }

  /** Begin anew. */
  reset() {
    this.#slow = this.#well = 0;
    this.#said = false;
  }

  /** Pictures that came, and that the server sent, in the last second. */
  look(fps, sent) {
    this.#slow = fps < SLOW ? this.#slow + 1 : 0;
    this.#well = fps >= WELL ? this.#well + 1 : 0;
    if (!this.#said && this.#slow >= LOOKS) {
      this.#said = true;
      this.on.slow(fps, sent);
    } else if (this.#said && this.#well >= LOOKS) {
      this.#said = false;
      this.on.well();
    }
  }
}
