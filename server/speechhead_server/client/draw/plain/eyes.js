/** Eyeballs that look aside and lids that close, laid over the open eyes. */

import { BALL, EYES } from "../tables.js";
import { between, Cubic, pictured, roomy, smooth } from "./shapes.js";

const held = (value, low = 0, high = 1) => (value < low ? low : value > high ? high : value);

export class Eyes {
  /** @param {import("../scene.js").Scene} scene */
  constructor(scene) {
    Object.assign(this, { size: scene.meta.size, balls: [null, null], lids: [null, null] });
    scene.meta.lids.forEach((told, side) => {
      const held = (kind, name) => scene.array(`${kind}.${side}.${name}`), cubic = (name) => {
        const picture = pictured(held("balls", name));
        return new Cubic(picture.width, picture.height).set(picture.data);
      };
      if (told?.ball) this.balls[side] = { white: pictured(held("balls", "white")), disc: cubic("disc"), glint: cubic("glint") };
      if (!told) return;
      const [laid, dome, above] = ["laid", "dome", "above"].map((name) => held("lids", name));
      this.lids[side] = { plate: pictured(held("lids", "plate")), laid: laid.data, dome: dome.data, above };
    });
  }

  /** Lay the eyes of a moment that look aside or close into a frame. */
  draw({ balls, lids }, frame) {
    balls.forEach((ball, side) => ball && this.balls[side] && this.#lay(this.#ball(this.balls[side], ball.number), ball, frame));
    lids.forEach((lid, side) => lid && this.lids[side] && this.#lay(this.#lid(this.lids[side], lid.number), lid, frame));
  }

  #layer(width, height) {
    return (this.layer = roomy(this.layer, 4 * width * height));
  }

  /** An eyeball within its lids, premultiplied. */
  #ball({ white, disc, glint }, number) {
    const { width, height, data } = white, out = this.#layer(width, height), turn = number("turn"), [mx, my] = number("glint_moved");
    const [middle, unit, edge] = number("ball"), upper = number("upper"), lower = number("lower"), reach = BALL.shade_reach * unit;
    for (let y = 0, k = 0; y < height; y++) {
      for (let x = 0; x < width; x++, k += 4) {
        const inside = Math.min(y - upper[x] - BALL.lashes * unit, lower[x] - y - BALL.rim * unit), shown = held(inside / edge + 0.5);
        out[k + 3] = shown;
        if (!(shown > 0)) {
          out[k] = out[k + 1] = out[k + 2] = 0;
          continue;
        }
        disc.place[0] = turn[0] * x + turn[1] * y + turn[2];
        disc.place[1] = turn[3] * x + turn[4] * y + turn[5];
        disc.at();
        glint.place[0] = x - mx;
        glint.place[1] = y - my;
        const cover = held(disc.read[3]), shine = cover > 0 && glint.at() ? cover : 0;
        const light = (1 - BALL.shade * Math.min(Math.exp((middle - y) / reach) * Math.exp((upper[x] - middle) / reach), 1)) * shown;
        out[k] = held((data[k] * (1 - cover) + Math.max(disc.read[0], 0) + shine * glint.read[0]) * light);
        out[k + 1] = held((data[k + 1] * (1 - cover) + Math.max(disc.read[1], 0) + shine * glint.read[1]) * light);
        out[k + 2] = held((data[k + 2] * (1 - cover) + Math.max(disc.read[2], 0) + shine * glint.read[2]) * light);
      }
    }
    return [out, width, height];
  }

  /** A lid, its line and its lashes, premultiplied. */
  #lid({ plate, laid, dome, above }, number) {
    const { width, height, data } = plate, out = this.#layer(width, height), [part, late, soft, breadth, unit] = number("lid");
    const upper = number("upper"), lower = number("lower"), line = number("line"), dark = [...number("dark")].map((light) => light / 255);
    const edge = Math.max(soft, 0.5), wide = breadth * unit, blur = 0.5 * edge, [tall, broad] = above.shape;
    const bell = (spread, away) => Math.exp((-0.5 * away * away) / (spread * wide * spread * wide + blur * blur));
    const open = 1 - part * part * part, hanging = EYES.hanging[0] * part * part, gone = 1 - smooth(part, EYES.shut, 1);
    for (let y = 0, k = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, k++, at += 4) {
        const up = upper[x], away = y - up, ball = held(Math.min(away, lower[x] - y) / (2 * edge) + 0.5) * gone;
        const rim = held((y - lower[x]) / edge) * (1 - late);
        const shut = late > 0 ? (away < 0 ? bell(EYES.line, away) : 0.75 * bell(EYES.fall, away) + 0.25 * bell(EYES.tail, away)) : 0;
        const shown = (1 - late) * EYES.open_share * bell(EYES.open_line, away) + late * shut;
        const hairs = Math.max(between(above.data, broad, tall, x, -away) * open, hanging * between(above.data, broad, tall, x, EYES.hanging[1] * away));
        const taken = Math.max(line[x] * shown, hairs), cover = Math.max(laid[k] * (1 - ball) * (1 - rim), taken), bright = 1 + part * dome[k];
        for (let c = 0; c < 3; c++) {
          const skin = data[at + c] * bright;
          out[at + c] = (skin + taken * (Math.min(EYES.overlaid * dark[c], EYES.darkest * skin) - skin)) * cover;
        }
        out[at + 3] = cover;
      }
    }
    return [out, width, height];
  }

  #lay([layer, width, height], { number, box: [x0, y0, x1, y1] }, frame) {
    const m = number("to"), share = number("share")[0], { size } = this;
    for (let y = y0; y < y1; y++) {
      for (let x = x0; x < x1; x++) {
        const px = m[0] * x + m[1] * y + m[2], py = m[3] * x + m[4] * y + m[5];
        if (!(px > -1 && py > -1 && px < width && py < height)) continue;
        const cover = share * between(layer, width, height, px, py, 4, 3), k = 4 * (y * size + x);
        if (cover === 0) continue;
        for (let c = 0; c < 3; c++) frame[k + c] = frame[k + c] * (1 - cover) + 255 * share * between(layer, width, height, px, py, 4, c);
      }
    }
  }
}
