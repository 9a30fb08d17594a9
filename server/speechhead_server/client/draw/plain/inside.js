/** Teeth, tongue and the dark between open lips. */

import { ARCHES, CAVITY, TONES } from "../tables.js";
import { across, bell, between, covered, down, pictured, roomy, smooth } from "./shapes.js";

const POWERS = 2048; // steps of a light's powers
const [, GREEN, BLUE] = CAVITY.red.map((power) => Float32Array.from({ length: POWERS + 1 }, (_, k) => Math.max(k / POWERS, 1e-3) ** power));

export class Inside {
  /** @param {import("../scene.js").Scene} scene */
  constructor(scene) {
    this.size = scene.meta.size;
    for (const name of ["lower", "upper"]) this[name] = pictured(scene.array(name));
    this.tones = scene.array("tones").data;
    this.teeth = new Float64Array(4);
    this.place = new Float64Array(2);
  }

  /** Lay the inside of the mouth into a frame. @param number numbers of the frame by name @param box pixels that it may change */
  draw(number, [x0, y0, x1, y1], frame) {
    const [shown] = number("in_shown"), width = x1 - x0, height = y1 - y0, all = width * height;
    if (!(shown > 0) || width < 2 || height < 2) return;
    const [sigma] = number("in_soft"), weights = bell(sigma, Math.ceil(4 * sigma)), { size } = this;
    for (const name of ["mask", "soft", "share", "near", "below"]) this[name] = roomy(this[name], all);
    for (const name of ["deep", "half"]) this[name] = roomy(this[name], 3 * all);
    covered(this.mask, number("in_outline"), [x0, y0, width, height]);
    across(this.mask, this.soft, width, height, 1, weights);
    down(this.soft, this.share, width, height, 1, weights);
    this.#shade(number("in_shade")[0], width, height);
    this.#colours(number, x0, y0, width, height);
    across(this.deep, this.half, width, height, 3, weights);
    down(this.half, this.deep, width, height, 3, weights);
    const [shut, open] = CAVITY.slit, [least, narrow] = CAVITY.slit_share;
    const part = least + (1 - least) * Math.min((1 - number("in_wide")[0]) / narrow, 1);
    for (let k = 0; k < all; k++) {
      const share = this.share[k] > 0 ? shown * (1 - part * (1 - smooth(this.near[k], shut, open))) * this.share[k] : 0;
      if (share <= 0) continue;
      const at = 4 * ((y0 + ((k / width) | 0)) * size + x0 + (k % width));
      for (let c = 0; c < 3; c++) frame[at + c] += share * (255 * this.deep[3 * k + c] - frame[at + c]);
    }
  }

  /** How much of a square around each pixel is open, and of one half its side further up. */
  #shade(side, width, height) {
    const { mask, soft, near, below } = this, half = Math.round((side - 1) / 2), sums = new Float64Array(Math.max(width, height) + 1);
    const within = (from, to, count) => sums[Math.min(Math.max(to, 0), count)] - sums[Math.min(Math.max(from, 0), count)];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) sums[x + 1] = sums[x] + mask[y * width + x];
      for (let x = 0; x < width; x++) soft[y * width + x] = within(x - half, x + half + 1, width) / side;
    }
    for (let x = 0; x < width; x++) {
      for (let y = 0; y < height; y++) sums[y + 1] = sums[y] + soft[y * width + x];
      for (let y = 0; y < height; y++) {
        near[y * width + x] = within(y - half, y + half + 1, height) / side;
        below[y * width + x] = (within(y - 2 * half, y + 1, height) + within(y - 2 * half - 1, y, height)) / (2 * side);
      }
    }
  }

  /** The colours of a box before they are as soft as the portrait. */
  #colours(number, x0, y0, width, height) {
    const { near, below, deep, tones } = this, back = number("in_inverse"), turn = number("in_matrix"), even = number("in_even");
    const [wide] = number("in_wide"), [tongue] = number("in_tongue"), [grey] = number("in_grey"), most = [...number("in_most")].map((light) => light / 255);
    const skin = [...number("in_skin")].map((light) => light / 255), white = [...number("in_white")].map((light) => light * (TONES.front / 255 / 235));
    const middle = number("in_middle"), low = number("in_lower"), rows = [["lower", low, number("in_lower_row")], ["upper", number("in_upper"), number("in_upper_row")]];
    const [lumaR, lumaG, lumaB] = TONES.luma, { teeth } = this;
    for (let y = 0, k = 0; y < height; y++) {
      for (let x = 0; x < width; x++, k++) {
        const u = x0 + x, v = y0 + y, aside = (back[0] * (u - middle[0]) + back[1] * (v - middle[1])) / CAVITY.sides;
        const dim = (1 - CAVITY.near * (1 - smooth(near[k], 0.15, 0.75))) * (1 - CAVITY.under * (1 - smooth(below[k], 0.1, 0.8)));
        const light = dim * CAVITY.full * Math.exp(-aside * aside) * wide;
        const dx = u - low[0], dy = v - low[1], px = (back[0] * dx + back[1] * dy) / CAVITY.tongue_half[0];
        const py = (back[2] * dx + back[3] * dy + CAVITY.tongue_above) / CAVITY.tongue_half[1];
        const much = (1 - smooth(Math.sqrt(px * px + py * py), 0.3, 1)) * Math.min(light, 1) * tongue;
        let red = (CAVITY.deep[0] + much * (CAVITY.tongue[0] - CAVITY.deep[0])) * skin[0];
        let green = (CAVITY.deep[1] + much * (CAVITY.tongue[1] - CAVITY.deep[1])) * skin[1];
        let blue = (CAVITY.deep[2] + much * (CAVITY.tongue[2] - CAVITY.deep[2])) * skin[2];
        for (let i = 0; i < 2; i++) {
          if (!this.#row(rows[i], u, v, back, turn)) continue;
          const bright = (i === 0 ? CAVITY.lower * light : light) * even[i], step = Math.round(Math.min(Math.max(bright, 0), 1) * POWERS), gone = 1 - teeth[3];
          red = red * gone + teeth[0] * kneed(bright * white[0], most[0]);
          green = green * gone + teeth[1] * kneed(bright * GREEN[step] * white[1], most[1]); // shade in a mouth is red
          blue = blue * gone + teeth[2] * kneed(bright * BLUE[step] * white[2], most[2]);
        }
        const luma = lumaR * red + lumaG * green + lumaB * blue, tone = 3 * Math.floor(Math.min(Math.max(255 * luma, 0), 255));
        deep[3 * k] = red + grey * (luma * tones[tone] - red);
        deep[3 * k + 1] = green + grey * (luma * tones[tone + 1] - green);
        deep[3 * k + 2] = blue + grey * (luma * tones[tone + 2] - blue);
      }
    }
  }

  /** What a row of teeth shows at a pixel, in `teeth`. @returns {boolean} whether there is anything */
  #row([name, at, told], u, v, back, turn) {
    const { width, height, data } = this[name], { teeth } = this, dx = u - at[0], dy = v - at[1], curve = told[0], reach = ARCHES.steep / (2 * curve);
    let px = back[0] * dx + back[1] * dy, py = back[2] * dx + back[3] * dy;
    for (let i = 0; i < 2; i++) {
      const inner = Math.min(Math.max(px, -reach), reach), lean = curve * inner * inner + ARCHES.steep * Math.abs(px - inner);
      const ex = dx - turn[2] * lean, ey = dy - turn[5] * lean;
      px = back[0] * ex + back[1] * ey;
      py = back[2] * ex + back[3] * ey;
    }
    px = px * told[3] + told[1];
    py = py * told[3] + told[2];
    if (!(px > -1 && py > -1 && px < width && py < height)) return false;
    for (let c = 0; c < 4; c++) teeth[c] = between(data, width, height, px, py, 4, c);
    return true;
  }
}

/** What a row is multiplied by where a front tooth is lit so: it grows slower the nearer that is to the most that teeth have. */
function kneed(lit, most) {
  const more = lit - TONES.knee * most, shown = more > 0 ? lit - (more * more) / (more + (1 - TONES.knee) * most) : lit;
  return shown * (255 / TONES.front);
}
