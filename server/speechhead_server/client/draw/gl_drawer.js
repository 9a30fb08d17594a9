/** Draws a portrait by WebGL2. */

import { Gl } from "./gl.js";
import { Moments } from "./moment.js";
import { Shown } from "./paint/shown.js";
import { line } from "./painters.js";
import { Picture } from "./picture.js";

const UPLOADED = ["person", "background", "lip_upper", "lip_lower", "places", "shades", "vertices"]; // large, and of no more use then

export class GlDrawer {
  engine = "webgl2";

  /**
   * @param {{canvas: HTMLCanvasElement | OffscreenCanvas, scene: import("./scene.js").Scene, mark: string, lanes: number}} options lanes: as many as are
   *   asked for, at most
   * @throws where the browser can not draw
   */
  constructor(options) {
    this.options = options;
    this.anew();
  }

  /** Upload all, at first and after a graphics unit was lost; lanes of before are of no use then. */
  anew() {
    const { canvas, scene, mark } = this.options;
    this.gl = new Gl(canvas);
    this.made = 0;
    this.shown = new Shown(this.gl, scene, mark);
    [canvas.width, canvas.height] = [this.shown.width, this.shown.height];
  }

  /**
   * What one frame is drawn in, in three steps between which networks are asked: `begin` (or `rest`, the portrait as it
   * is, which needs none before `draw`), `seen` and `draw`.
   */
  lane() {
    const picture = new Picture(this.gl, this.options.scene), moments = new Moments(this.options.scene), { shown } = this;
    if (++this.made === this.options.lanes) this.options.scene.forget?.(...UPLOADED); // not before: making them anew takes longer than a frame
    let given, moment, masks;
    const look = async (next) => {
      moment = next;
      const inputs = await picture.begun(moment);
      masks = inputs?.mouth_shapes.data;
      return inputs;
    };
    return {
      begin: (motion) => {
        given = moments.before(motion);
        return { motion: line(given.motion), shape: line(given.shape) };
      },
      seen: (delta) => look(moments.after(given, delta)),
      rest: () => look(moments.resting()),
      draw: (painted) => {
        picture.done(moment, painted, masks);
        shown.draw(picture.frame);
      },
    };
  }

  close() {
    this.gl.close();
  }
}
