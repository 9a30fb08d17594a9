/**
 * A portrait drawn where it is seen: motion to the pixels of a canvas, by the scene, three networks and what draws here.
 *
 *     const renderer = await Renderer.open({ canvas, scene: await openScene(url), networks: await Networks.open({ names: NETWORKS }) });
 *     await renderer.draw(motion);
 */

import { opened } from "./drawers.js";
import { PAINTERS, Painters, still, UNPAINTED } from "./painters.js";

const LATENTS = "landmarks2latents_compact";

/** Networks that a renderer runs. Without those of LATER it draws what they would paint as it is in the portrait. */
export const NETWORKS = [LATENTS, ...PAINTERS], FIRST = [LATENTS], LATER = PAINTERS;

const LANES = 2; // frames at once: one is drawn while the networks work for the one before

const SLOWLY = 0.1; // share of the newest frame in the mean time of one

/** @typedef {{landmarks: Float32Array, pose: number[]}} Motion see `moment.js` */

export class Renderer {
  #options; #canvas; #networks; #painters; #drawer;
  #lanes = []; #free = []; #before = Promise.resolve();
  #waiting = null; #last = null; #mean = 0; #closed = false; #lost = false;
  #streams = [];

  /** Called when the graphics unit is gone, and when all is uploaded again: show something else between the two. */
  onlost = () => {};
  onrestored = () => {};

  /**
   * @param {{canvas: HTMLCanvasElement|OffscreenCanvas, scene: import("./scene.js").Scene, networks: {run: Function}, mark?: string, engine?: string}} options
   *   canvas: gets the size of the scene; mark: a short text such as "AI" for its corner; engine: see `drawers.opened`
   * @throws where the browser can not draw: take the server's video
   */
  static async open(options) {
    const renderer = new Renderer(options);
    renderer.#drawer = await opened(...renderer.#options);
    renderer.#begin();
    return renderer;
  }

  /** Use `open`. */
  constructor({ canvas, scene, networks, mark = "", engine = "" }) {
    this.#options = [{ canvas, scene, mark, lanes: LANES }, engine];
    this.#canvas = canvas;
    this.#networks = networks;
    this.#painters = new Painters(networks, still(scene));
    canvas.addEventListener("webglcontextlost", this.#whenLost);
    canvas.addEventListener("webglcontextrestored", this.#whenRestored);
  }

  #begin() {
    this.#lanes = [];
    this.#free = [this.#lane()];
  }

  /** What one frame is drawn with. */
  #lane() {
    const lane = this.#drawer.lane();
    this.#lanes.push(lane);
    return lane;
  }

  /** What draws: "webgl2" or "plain". */
  get engine() {
    return this.#drawer.engine;
  }

  #whenLost = (event) => {
    event.preventDefault(); // else it never comes back
    this.#lost = true;
    this.onlost();
  };

  #whenRestored = () => {
    if (this.#closed) return;
    this.#drawer.anew();
    this.#begin();
    this.#lost = false;
    this.onrestored();
    if (this.#last) this.draw(this.#last);
  };

  /** Milliseconds from a motion to its picture, a slow mean; 0 before the first. */
  get milliseconds() {
    return this.#mean;
  }

  /** Whether networks are still on their way, without which frames are drawn meanwhile. */
  get settling() {
    return Boolean(this.#networks.missing);
  }

  /** Whether a frame is being drawn. */
  get busy() {
    return this.#free.length < this.#lanes.length;
  }

  /** Whether the page can not be seen and nobody records it: nothing is drawn. */
  get resting() {
    const recorded = this.#streams.some((stream) => stream.getVideoTracks().some((track) => track.readyState === "live"));
    return Boolean(this.#canvas.ownerDocument?.hidden) && !recorded;
  }

  /**
   * Draw one frame. Two are drawn at once, and shown in their order; of motions that come meanwhile only the newest is kept.
   * @param {Motion} motion
   * @returns {Promise<boolean>} whether it is on the canvas: false where a newer one took its place, or none can be drawn now
   */
  draw(motion) {
    if (this.#closed || this.#lost || this.resting) {
      this.#last = motion;
      return Promise.resolve(false);
    }
    if (this.#free.length || this.#lanes.length < LANES) return this.#run(motion);
    this.#waiting?.give(false);
    return new Promise((give) => (this.#waiting = { motion, give }));
  }

  /**
   * Show the portrait as it is, which needs no network: something is seen while these are loaded.
   * @returns {Promise<boolean>} whether it is on the canvas
   */
  still() {
    if (this.#closed || this.#lost || this.busy || this.#last) return Promise.resolve(false);
    return this.#taken(async (lane, gone, before) => {
      const inputs = await lane.rest();
      await before;
      if (!inputs || gone()) return false;
      await lane.draw(UNPAINTED);
      return true;
    });
  }

  #run(motion) {
    this.#last = motion;
    return this.#taken((...given) => this.#drawn(motion, ...given));
  }

  /**
   * Draw one frame in a lane of its own.
   * @param {(lane: object, gone: () => boolean, before: Promise<void>) => Promise<boolean>} draws
   *   `gone`: there is nothing more to draw on; `before`: when the frame before is shown
   */
  async #taken(draws) {
    const lane = this.#free.pop() ?? this.#lane(), before = this.#before;
    let over;
    this.#before = new Promise((go) => (over = go));
    try {
      return await draws(lane, () => this.#closed || this.#lost || !this.#lanes.includes(lane), before);
    } catch (error) {
      if (this.#closed) return false; // what draws has ended with it
      throw error;
    } finally {
      before.then(over); // a frame that failed early lets no later one overtake
      if (this.#lanes.includes(lane)) this.#free.push(lane);
      const next = this.#waiting;
      this.#waiting = null;
      if (next) this.draw(next.motion).then(next.give, () => next.give(false));
    }
  }

  async #drawn(motion, lane, gone, before) {
    const began = performance.now();
    const { delta } = await this.#networks.run(LATENTS, await lane.begin(motion));
    if (gone()) return false;
    const inputs = await lane.seen(delta.data);
    if (!inputs || gone()) return false;
    const painted = this.settling ? UNPAINTED : await this.#painters.painted(inputs);
    await before;
    if (gone()) return false;
    await lane.draw(painted);
    const took = performance.now() - began;
    this.#mean = this.#mean ? this.#mean + SLOWLY * (took - this.#mean) : took;
    return true;
  }

  /** The canvas as a stream, for recordings and calls: it goes on in a hidden page until its tracks are stopped. */
  stream(rate = 25) {
    const stream = this.#canvas.captureStream(rate);
    this.#streams.push(stream);
    return stream;
  }

  /** End: memory is given back, and nothing is drawn any more. The networks stay open, and the canvas can be drawn on anew. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting?.give(false);
    this.#waiting = null;
    this.#canvas.removeEventListener("webglcontextlost", this.#whenLost);
    this.#canvas.removeEventListener("webglcontextrestored", this.#whenRestored);
    for (const stream of this.#streams) for (const track of stream.getTracks()) track.stop();
    this.#drawer?.close();
  }
}
