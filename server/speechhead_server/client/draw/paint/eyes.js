/** Eyeballs that look aside and lids that close, laid over the open eyes. */

import { BALL, EYES } from "../tables.js";
import { HERE, joined, mapped, pictured, READING, SMOOTH } from "./glsl.js";

const n = (value) => Number(value).toFixed(6);

const SHADERS = {
  ball: [`${HERE}${READING}uniform sampler2D rows, white, disc, glint; uniform vec3 turn_x, turn_y, ball; uniform vec2 moved;
void main() {
  vec2 own = here(); vec3 place = vec3(own, 1); vec2 lids = texelFetch(rows, ivec2(int(own.x), 0), 0).xy;
  float middle = ball.x, unit = ball.y, edge = ball.z;
  vec4 iris = max(cubic(disc, vec2(dot(turn_x, place), dot(turn_y, place)), textureSize(disc, 0)), 0.0);
  float cover = min(iris.a, 1.0);
  vec3 picture = texelFetch(white, ivec2(own), 0).rgb * (1.0 - cover) + iris.rgb + cover * cubic(glint, own - moved, textureSize(glint, 0)).rgb;
  float reach = ${n(BALL.shade_reach)} * unit;
  float shade = 1.0 - ${n(BALL.shade)} * min(exp((middle - own.y) / reach) * exp((lids.x - middle) / reach), 1.0);
  float inside = min(own.y - lids.x - ${n(BALL.lashes)} * unit, lids.y - own.y - ${n(BALL.rim)} * unit);
  float shown = clamp(inside / edge + 0.5, 0.0, 1.0);
  result = vec4(clamp(picture * shade * shown, 0.0, 1.0), shown);
}`],
  lid: [`${HERE}${READING}${SMOOTH}uniform sampler2D rows, plate, maps, above; uniform vec3 lid, dark; uniform vec2 lashes;
float bell(float spread, float y, float upper, float wide, float blur) { return exp(-0.5 * (y - upper) * (y - upper) / (spread * wide * spread * wide + blur * blur)); }
void main() {
  vec2 own = here(); vec3 edges = texelFetch(rows, ivec2(int(own.x), 0), 0).xyz; ivec2 at = ivec2(own);
  float upper = edges.x, lower = edges.y, part = lid.x, late = lid.y, edge = max(lid.z, 0.5), wide = lashes.x * lashes.y, blur = 0.5 * edge;
  float ball = clamp(min(own.y - upper, lower - own.y) / (2.0 * edge) + 0.5, 0.0, 1.0) * (1.0 - smooth_(part, ${n(EYES.shut)}, 1.0));
  float rim = clamp((own.y - lower) / edge, 0.0, 1.0) * (1.0 - late);
  float shut = own.y < upper ? bell(${n(EYES.line)}, own.y, upper, wide, blur)
    : 0.75 * bell(${n(EYES.fall)}, own.y, upper, wide, blur) + 0.25 * bell(${n(EYES.tail)}, own.y, upper, wide, blur);
  float shown = (1.0 - late) * ${n(EYES.open_share)} * bell(${n(EYES.open_line)}, own.y, upper, wide, blur) + late * shut;
  float over = upper - own.y; ivec2 size = textureSize(above, 0);
  float up = between(above, vec2(own.x, over), size).r, down = between(above, vec2(own.x, ${n(-EYES.hanging[1])} * over), size).r;
  float hairs = max(up * (1.0 - part * part * part), ${n(EYES.hanging[0])} * part * part * down);
  float taken = max(edges.z * shown, hairs);
  vec2 map = texelFetch(maps, at, 0).xy; // laid, dome
  float cover = max(map.x * (1.0 - ball) * (1.0 - rim), taken);
  vec3 skin = texelFetch(plate, at, 0).rgb * (1.0 + part * map.y);
  vec3 colour = mix(skin, min(${n(EYES.overlaid)} * dark, ${n(EYES.darkest)} * skin), taken);
  result = vec4(colour * cover, cover);
}`],
  laid: [`${HERE}${READING}uniform sampler2D layer; uniform ivec2 size; uniform vec3 to_x, to_y; uniform float share;
void main() {
  vec3 own = vec3(here(), 1);
  result = share * between(layer, vec2(dot(to_x, own), dot(to_y, own)), size);
}`],
};

export class Eyes {
  /** @param {import("../gl.js").Gl} gl @param {import("../scene.js").Scene} scene */
  constructor(gl, scene) {
    Object.assign(this, { gl, balls: [null, null], lids: [null, null] });
    this.programs = Object.fromEntries(Object.entries(SHADERS).map(([name, texts]) => [name, gl.program(...texts)]));
    [0, 1].forEach((side) => {
      const told = scene.meta.lids[side], held = (name) => scene.array(name);
      if (told?.ball) this.balls[side] = this.#pictures("balls", side, ["white", "disc", "glint"], scene);
      if (told) {
        const [maps, above] = [[held(`lids.${side}.laid`), held(`lids.${side}.dome`)], held(`lids.${side}.above`)];
        this.lids[side] = { ...this.#pictures("lids", side, ["plate"], scene), maps: joined(gl, maps), above: joined(gl, [above]) };
      }
    });
  }

  #pictures(kind, side, names, scene) {
    return Object.fromEntries(names.map((name) => [name, pictured(this.gl, scene.array(`${kind}.${side}.${name}`), "rgba16")]));
  }

  /** Lay the eyes of a moment that look aside or close into a frame. */
  draw({ balls, lids }, frame) {
    for (const [side, ball] of balls.entries()) {
      if (!ball || !this.balls[side]) continue;
      const { white } = this.balls[side], number = ball.number;
      const rows = this.#rows([number("upper"), number("lower")], white.width);
      const values = { ...this.balls[side], rows, ...mapped("turn", number("turn")), ball: number("ball"), moved: number("glint_moved") };
      this.#lay("ball", values, white, ball, frame);
    }
    for (const [side, lid] of lids.entries()) {
      if (!lid || !this.lids[side]) continue;
      const { plate } = this.lids[side], number = lid.number, [part, late, soft, breadth, unit] = number("lid");
      const rows = this.#rows([number("upper"), number("lower"), number("line")], plate.width);
      const dark = [...number("dark")].map((light) => light / 255);
      this.#lay("lid", { ...this.lids[side], rows, lid: [part, late, soft], lashes: [breadth, unit], dark }, plate, lid, frame);
    }
  }

  #rows(lines, width) {
    const data = new Float32Array(4 * width);
    lines.forEach((line, c) => {
      for (let k = 0; k < width; k++) data[4 * k + c] = line[k];
    });
    if (this.rows?.width !== width) {
      if (this.rows) this.gl.free(this.rows);
      this.rows = this.gl.texture(width, 1, "rgba32");
    }
    this.gl.upload(this.rows, data);
    return this.rows;
  }

  #lay(kind, values, { width, height }, { number, box }, frame) {
    const { gl, programs } = this;
    this.layer = gl.roomy(this.layer, width, height, "rgba16");
    gl.pass(programs[kind], this.layer, values, { box: [0, 0, width, height] });
    const laid = { layer: this.layer, size: [width, height], ...mapped("to", number("to")), share: number("share")[0] };
    gl.pass(programs.laid, frame, laid, { box, blend: "premultiplied" });
  }
}
