/** A portrait drawn on this device: by motion that the server sends, or by what is heard of its sound. */

import { MediaClock } from "./draw/clock.js";
import { MotionReceiver } from "./draw/receiver.js";
import { MotionWire } from "./draw/wire.js";

const BACK = 50; // frames within which time never goes back: a face that waits is not seen, one that jumps is
const AHEAD = 0.12; // seconds at most by which a frame is begun before its time
const AT_ONCE = 2; // frames, as many as a renderer has lanes
const STARVED = 3000; // ms without a packet of motion after which none comes through

/** The modules that draw and hear, loaded when they are needed first; tests put others here. */
export const parts = {
  able: () => canDraw(),
  /** @returns {Promise<{draw: (motion: object) => Promise<unknown>, milliseconds: number, close: () => void}>} */
  async renderer({ canvas, base, scene, mark, lost }) {
    const [{ Renderer, FIRST, LATER }, { openScene }, { Networks }] = await Promise.all(
      ["renderer", "scene", "networks"].map((name) => import(`./draw/${name}.js`)));
    const networks = Networks.begin({ base, names: FIRST, later: LATER });
    let closed = false;
    networks.whole.catch((error) => closed || lost(error));
    const drawn = async () => {
      const opened = await openScene(await scene), renderer = await Renderer.open({ canvas, scene: opened, networks, mark: await mark });
      await renderer.still(); // the face is there while the networks are loaded
      return Object.assign(renderer, { scene: opened });
    };
    const [renderer] = await Promise.all([drawn(), networks.ready]).catch((error) => {
      networks.close();
      throw error;
    });
    const close = renderer.close.bind(renderer);
    renderer.close = () => {
      closed = true;
      close();
      networks.close(); // their worker would stay
    };
    renderer.onlost = () => lost(new Error("the graphics unit was lost"));
    return renderer;
  },
  /** What hears a stream and moves a portrait by it; see own_sound.js. */
  async hearing(given) {
    return (await import("./own_sound.js")).OwnSound.open(given);
  },
};

/** Whether this browser has what drawing needs; a graphics unit is not among it. */
export function canDraw() {
  return typeof WebAssembly !== "undefined" && typeof OffscreenCanvas !== "undefined" && Boolean(new OffscreenCanvas(1, 1).getContext("2d"));
}

/** Draws on a canvas from `start` to `stop`, the frame whose sound is heard. */
export class OwnDrawing {
  #run = 0; // of `start` and `stop`: what an earlier one began is over
  #running = false;
  #last = null;
  #flight = 0; // frames that are being drawn
  #asked = 0; // the animation frame that was asked for
  #fed = 0; // ms at which motion began, or came last

  /**
   * @param {{canvas: HTMLCanvasElement, base: string, scene: string | Promise<string>, basis: string, mark: string | Promise<string>,
   *   sources: Function, headers?: object, drew: Function, starved: Function, lost: Function}} given
   * base: address of the client's modules; scene, basis: addresses, of which the scene's may come later; sources: of the sound, see MediaClock;
   * drew: called with the ms of each frame, whether it came late, and whether not all is there yet; starved: no motion comes; lost: can draw no more
   */
  static async open(given) {
    const [answer, renderer] = await Promise.all([fetch(given.basis), parts.renderer(given)]);
    if (!answer.ok) throw new Error(`the basis of motion is not there (${answer.status})`);
    return new OwnDrawing(given, new MotionWire(await answer.json()), renderer);
  }

  constructor(given, wire, renderer) {
    this.given = given;
    this.wire = wire;
    this.renderer = renderer;
    this.clock = new MediaClock(undefined, given.sources);
    this.receiver = new MotionReceiver();
    this.hearing = null;
    this.told = null;
    this.frames = 0;
  }

  /** The server's message of what the motion is of. */
  tell(message) {
    if (message.basis !== this.wire.name) throw new Error("the server's motion is of another version. Load the page again.");
    this.told = { rest: Float32Array.from(message.rest), pose: message.pose };
    if (message.rtp !== null) this.clock.origin = message.rtp;
  }

  /** Bytes of the motion's channel; what is no packet is passed over. */
  packet(data) {
    try {
      const packet = this.wire.unpack(data);
      this.receiver.push(packet);
      this.clock.packet(packet);
      this.#fed = performance.now();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }

  /** Draw from now on: by the wire's motion, or by what is heard of a stream. @param {MediaStream | null} stream */
  async start(stream = null, controls = {}) {
    this.stop();
    const run = this.#run;
    const hearing = stream && (await parts.hearing({ stream, scene: this.renderer.scene, base: this.given.base, controls }));
    if (run !== this.#run) {
      hearing?.close();
      return;
    }
    this.hearing = hearing;
    this.#fed = performance.now();
    this.#running = true;
    this.#next();
  }

  stop() {
    this.#run++;
    this.#running = false;
    cancelAnimationFrame(this.#asked);
    this.hearing?.close();
    this.hearing = this.#last = null;
  }

  close() {
    this.stop();
    this.renderer.close();
  }

  #next() {
    this.#asked = requestAnimationFrame(() => {
      if (!this.#running) return;
      this.#step();
      this.#next();
    });
  }

  /** The motion to be shown once it is drawn, or null where there is none yet. */
  #motion() {
    const ahead = Math.min(this.renderer.milliseconds / 1000 || 0, AHEAD);
    if (this.hearing) return this.hearing.motion(ahead);
    const frame = this.clock.frame(ahead);
    if (frame === null || !this.told) return null;
    if (this.#last !== null && frame <= this.#last && frame > this.#last - BACK) return null; // the clock found its sound
    const codes = this.receiver.at(frame);
    return codes && this.wire.motion(codes, this.told.rest, this.told.pose, frame);
  }

  async #step() {
    if (!this.hearing && performance.now() - this.#fed > STARVED) {
      this.#fed = performance.now();
      this.given.starved();
      return;
    }
    if (this.#flight >= AT_ONCE) return;
    const begin = performance.now();
    this.#flight++;
    let late = false;
    try {
      const motion = this.#motion();
      if (!motion || motion.frame === this.#last) return;
      const left = this.#last === null ? 0 : motion.frame - this.#last - 1; // that were left out
      late = left > 0 && left <= BACK; // after more the page was not seen for a while
      this.#last = motion.frame;
      await this.renderer.draw(motion);
      this.frames++;
    } catch (error) {
      if (this.#running) this.given.lost(error); // a portrait that was closed has lost nothing
      return;
    } finally {
      this.#flight--;
    }
    if (this.#running) this.given.drew(performance.now() - begin, late, this.renderer.settling);
  }
}
