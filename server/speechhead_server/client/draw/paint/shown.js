/** A frame as it is shown: within its picture where its crop is a part of that, and with the mark that it is synthetic. */

import { FEATHER, INK, lettered, PLATE } from "../letters.js";
import { HERE, pictured } from "./glsl.js";

const SHADERS = {
  pasted: [`${HERE}uniform sampler2D frame, picture; uniform vec3 place; uniform float ramp;
void main() {
  vec2 own = gl_FragCoord.xy, at = (own - place.xy) / place.z;
  vec2 far = min(own - place.xy, place.xy + place.z - own);
  float share = clamp((min(far.x, far.y) - 0.5) / ramp, 0.0, 1.0);
  vec3 below = texelFetch(picture, ivec2(own), 0).rgb;
  result = vec4(mix(below, texture(frame, clamp(at, 0.0, 1.0)).rgb, share * share * (3.0 - 2.0 * share)), 1);
}`],
  mark: [`${HERE}uniform sampler2D letters; uniform vec2 corner;
void main() {
  float share = texelFetch(letters, ivec2(here() - corner), 0).r;
  result = vec4(vec3(share * ${(INK / 255).toFixed(4)}), 1.0 - ${PLATE.toFixed(2)} * (1.0 - share));
}`],
};

export class Shown {
  /**
   * @param {import("../gl.js").Gl} gl @param {import("../scene.js").Scene} scene
   * @param {string} mark a short text for the lower right corner, as the server's video has it; none: ""
   */
  constructor(gl, scene, mark) {
    const { size, box = [0, 0, size] } = scene.meta;
    Object.assign(this, { gl, box });
    this.programs = Object.fromEntries(Object.entries(SHADERS).map(([name, texts]) => [name, gl.program(...texts)]));
    if (box[0] !== 0 || box[1] !== 0 || box[2] !== size) {
      this.picture = pictured(gl, scene.array("picture"), "rgba8");
      this.whole = gl.target(this.picture.width, this.picture.height, "rgba8");
    }
    const { width, height } = this.whole ?? { width: size, height: size };
    Object.assign(this, { width, height, letters: mark ? texture(gl, lettered(mark, Math.min(width, height))) : null });
  }

  /** Put a frame on the canvas. */
  draw(frame) {
    const { gl, programs, picture, whole, letters, box } = this;
    let last = frame;
    if (whole) {
      gl.pass(programs.pasted, whole, { frame, picture, place: box, ramp: Math.max(FEATHER * box[2], 1) });
      last = whole;
    }
    if (letters) {
      const corner = [last.width - letters.width, last.height - letters.height], place = [...corner, last.width, last.height];
      gl.pass(programs.mark, last, { letters, corner }, { box: place, blend: "premultiplied" });
    }
    gl.show(last);
  }
}

/** Letters as a texture. */
function texture(gl, { width, height, data }) {
  const out = new Uint8Array(4 * width * height);
  for (let k = 0; k < data.length; k++) out.fill(data[k], 4 * k, 4 * k + 4);
  return gl.texture(width, height, "rgba8", out);
}
