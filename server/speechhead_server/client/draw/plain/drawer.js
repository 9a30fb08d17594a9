/** Draws a portrait without a graphics unit: by plain numbers, in a worker, so that the page stays free. */

import { Caller } from "../caller.js";
import { line } from "../painters.js";

export class PlainDrawer {
  engine = "plain";
  #caller; #context; #lanes = 0;

  /** @param {{canvas: HTMLCanvasElement | OffscreenCanvas, scene: import("../scene.js").Scene, mark: string}} options */
  static async open({ canvas, scene, mark }) {
    const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    if (!context) throw new Error("Something else was drawn on this canvas. Give the portrait one of its own.");
    const drawer = new PlainDrawer(context);
    try {
      const { width, height } = await drawer.#ask("open", { content: scene.content, mark });
      [canvas.width, canvas.height] = [width, height];
    } catch (error) {
      drawer.close();
      throw error;
    }
    return drawer;
  }

  constructor(context) {
    this.#context = context;
    this.#caller = new Caller(new URL("./worker.js", import.meta.url), "The drawing's worker");
  }

  #ask(ask, given = {}) {
    return this.#caller.call({ ask, ...given });
  }

  /** What one frame is drawn in; see `GlDrawer`. */
  lane() {
    const number = this.#lanes++, ask = (name, given) => this.#ask(name, { lane: number, ...given });
    return {
      begin: async (motion) => {
        const given = await ask("begin", { motion });
        return { motion: line(given.motion), shape: line(given.shape) };
      },
      seen: (delta) => ask("seen", { delta }),
      rest: () => ask("rest"),
      draw: async (painted) => this.#show(await ask("draw", { painted })),
    };
  }

  #show(pixels) {
    const { width, height } = this.#context.canvas;
    this.#context.putImageData(new ImageData(pixels, width, height), 0, 0);
  }

  close() {
    this.#caller.close(new Error("The portrait is closed."));
  }
}
