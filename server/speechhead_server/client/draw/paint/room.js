/** A frame as the room lights a head that turns. */

import { MESH, RELIEF, ROOM } from "../tables.js";
import { HERE, READING } from "./glsl.js";

const SIDE = MESH.resolution, COUNT = RELIEF.resolution;

const SHADERS = {
  gain: `${HERE}uniform sampler2D shades; uniform vec4 light[2];
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy); at.x *= 2;
  float more = dot(texelFetch(shades, at, 0), light[0]) + dot(texelFetch(shades, at + ivec2(1, 0), 0), light[1]);
  result = vec4(clamp(more, ${ROOM.low.toFixed(3)}, ${ROOM.high.toFixed(3)}));
}`,
  moved: `${HERE}${READING}uniform sampler2D gain, flow;
void main() {
  vec2 place = (here() + 0.5) * ${COUNT / SIDE} - 0.5 + texelFetch(flow, ivec2(gl_FragCoord.xy), 0).xy * ${COUNT / 2}.0;
  result = between(gain, place, ivec2(${COUNT}));
}`,
  lit: `${HERE}uniform sampler2D moved, frame; uniform float size;
void main() {
  float more = texture(moved, gl_FragCoord.xy / size).r;
  result = vec4(texelFetch(frame, ivec2(gl_FragCoord.xy), 0).rgb * (1.0 + more), 1);
}`,
};

export class Room {
  /** @param {import("../gl.js").Gl} gl @param {import("../scene.js").Scene} scene */
  constructor(gl, scene) {
    Object.assign(this, { gl, size: scene.meta.size });
    this.programs = Object.fromEntries(Object.entries(SHADERS).map(([name, text]) => [name, gl.program(text)]));
    this.shades = gl.texture(2 * COUNT, COUNT, "rgba32", scene.array("shades").data);
    this.gain = gl.target(COUNT, COUNT, "rgba32");
    this.moved = gl.target(SIDE, SIDE, "rgba16", { linear: true });
  }

  /**
   * Draw a frame as it is lit into another target.
   * @param {Float32Array} room [8], how the light changes @param flow through which the person was read
   * @returns {boolean} whether there was anything to do
   */
  draw(room, flow, frame, target) {
    if (!room.some((value) => Math.abs(value) >= ROOM.faint)) return false;
    const { gl, programs, shades, gain, moved, size } = this;
    gl.pass(programs.gain, gain, { shades, light: room });
    gl.pass(programs.moved, moved, { gain, flow });
    gl.pass(programs.lit, target, { moved, frame, size });
    return true;
  }
}
