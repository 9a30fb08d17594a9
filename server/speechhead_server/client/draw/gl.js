/**
 * What pictures are drawn with: programs, textures, targets and passes of WebGL2. Row 0 of every texture is the top row
 * of the picture; a pixel's middle is at a whole number.
 */

const HEAD = `#version 300 es
precision highp float; precision highp int; precision highp sampler2D;
`;

/** A rectangle `box` (x0, y0, x1, y1) of a target; `turned` 1: the target's row 0 is its lowest, as a canvas has it. */
const RECTANGLE = `${HEAD}
uniform vec4 box; uniform vec2 room; uniform float turned;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  vec2 place = mix(box.xy, box.zw, corner) / room * 2.0 - 1.0;
  gl_Position = vec4(place.x, turned > 0.5 ? -place.y : place.y, 0, 1);
}`;

const SETTERS = {
  [0x1406]: "uniform1fv", [0x8b50]: "uniform2fv", [0x8b51]: "uniform3fv", [0x8b52]: "uniform4fv",
  [0x1404]: "uniform1iv", [0x8b53]: "uniform2iv",
}; // float, vec2, vec3, vec4, int, ivec2
const SAMPLER = 0x8b5e;

const KINDS = {
  rgba8: ["RGBA8", "RGBA", "UNSIGNED_BYTE"],
  rgba16: ["RGBA16F", "RGBA", "FLOAT"],
  rgba32: ["RGBA32F", "RGBA", "FLOAT"],
  r32: ["R32F", "RED", "FLOAT"],
};

const ALPHA = { straight: ["SRC_ALPHA", "ONE_MINUS_SRC_ALPHA"], premultiplied: ["ONE", "ONE_MINUS_SRC_ALPHA"], add: ["ONE", "ONE"] };

/** @typedef {{texture: WebGLTexture, width: number, height: number, kind: string, frame?: WebGLFramebuffer, packed?: WebGLBuffer}} Surface */

export class Gl {
  /** @param {HTMLCanvasElement|OffscreenCanvas} canvas @throws where the browser can not draw */
  constructor(canvas) {
    const options = { alpha: false, antialias: false, depth: false, powerPreference: "high-performance" };
    const gl = canvas.getContext("webgl2", options);
    if (!gl) throw new Error("This browser has no WebGL2. Take the server's video.");
    if (!gl.getExtension("EXT_color_buffer_float")) throw new Error("This browser can not draw into floats. Take the server's video.");
    this.gl = gl;
    this.canvas = canvas;
    this.passes = 0;
    this.programs = new Map();
    this.made = { Texture: new Set(), Framebuffer: new Set(), Renderbuffer: new Set(), Program: new Set(), Buffer: new Set() };
    gl.disable(gl.DITHER);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  }

  /** Make something of the graphics unit's, which `close` gives back. */
  #make(kind) {
    const made = this.gl[`create${kind}`]();
    this.made[kind].add(made);
    return made;
  }

  #drop(kind, made) {
    this.made[kind].delete(made);
    this.gl[`delete${kind}`](made);
  }

  /** Give all memory back; the canvas can be drawn on anew. */
  close() {
    for (const [kind, all] of Object.entries(this.made)) for (const made of all) this.#drop(kind, made);
  }

  /** Forget what the last frame's passes were counted as. */
  begin() {
    this.passes = 0;
  }

  /** A program of a fragment shader's text over rectangles, or over what `vertex` places; the same one for the same texts. */
  program(fragment, vertex = "") {
    const key = `${vertex}\n${fragment}`;
    if (!this.programs.has(key)) this.programs.set(key, this.#program(fragment, vertex));
    return this.programs.get(key);
  }

  #program(fragment, vertex) {
    const gl = this.gl, program = this.#make("Program");
    const texts = [[gl.VERTEX_SHADER, vertex ? HEAD + vertex : RECTANGLE], [gl.FRAGMENT_SHADER, HEAD + fragment]];
    for (const [type, text] of texts) {
      const shader = gl.createShader(type);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) throw new Error(`${gl.getShaderInfoLog(shader)}\n${text}`);
      gl.attachShader(program, shader);
      gl.deleteShader(shader); // goes with its program
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) throw new Error(gl.getProgramInfoLog(program));
    const uniforms = new Map(), count = gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS) ?? 0;
    for (let k = 0; k < count; k++) {
      const { name, type } = gl.getActiveUniform(program, k);
      uniforms.set(name.replace("[0]", ""), { at: gl.getUniformLocation(program, name), type });
    }
    return { program, uniforms };
  }

  /** @returns {Surface} a texture; `linear`: read between pixels by the graphics unit */
  texture(width, height, kind, data = null, linear = false) {
    const gl = this.gl, texture = this.#make("Texture");
    const [inside, format, type] = KINDS[kind].map((name) => gl[name]);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, inside, width, height, 0, format, type, data);
    const filter = linear ? gl.LINEAR : gl.NEAREST;
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, filter);
    for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, name, gl.CLAMP_TO_EDGE);
    return { texture, width, height, kind };
  }

  /** Put data into the first rows of a texture. */
  upload(surface, data, width = surface.width, height = surface.height) {
    const gl = this.gl, [, format, type] = KINDS[surface.kind].map((name) => gl[name]);
    gl.bindTexture(gl.TEXTURE_2D, surface.texture);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, height, format, type, data);
  }

  /** @returns {Surface} a texture that can be drawn into; `deep`: what is nearer hides what is not */
  target(width, height, kind, { linear = false, deep = false } = {}) {
    const gl = this.gl, made = this.texture(width, height, kind, null, linear), frame = this.#make("Framebuffer");
    gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, made.texture, 0);
    let depth = null;
    if (deep) {
      depth = this.#make("Renderbuffer");
      gl.bindRenderbuffer(gl.RENDERBUFFER, depth);
      gl.renderbufferStorage(gl.RENDERBUFFER, gl.DEPTH_COMPONENT24, width, height);
      gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.DEPTH_ATTACHMENT, gl.RENDERBUFFER, depth);
    }
    return { ...made, frame, depth };
  }

  /** The target itself where it is large enough for a box, else a larger one in its place. */
  roomy(surface, width, height, kind, options = {}) {
    if (surface && surface.width >= width && surface.height >= height) return surface;
    if (surface) this.free(surface);
    const [w, h] = [surface?.width ?? 0, surface?.height ?? 0];
    return this.target(64 * Math.ceil(Math.max(width, w) / 64), 64 * Math.ceil(Math.max(height, h) / 64), kind, options);
  }

  /** Give a surface's memory back. */
  free({ texture, frame, depth }) {
    this.#drop("Texture", texture);
    if (frame) this.#drop("Framebuffer", frame);
    if (depth) this.#drop("Renderbuffer", depth);
  }

  /** Set a program's uniforms and textures, as many as it has of those given. */
  #set({ program, uniforms }, values) {
    const gl = this.gl;
    gl.useProgram(program);
    let unit = 0;
    for (const [name, { at, type }] of uniforms) {
      const value = values[name];
      if (value === undefined) throw new Error(`A shader lacks the value "${name}".`);
      if (type === SAMPLER) {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(gl.TEXTURE_2D, value.texture);
        gl.uniform1i(at, unit++);
      } else gl[SETTERS[type]](at, typeof value === "number" ? [value] : value);
    }
  }

  #into(surface) {
    const gl = this.gl, { width, height } = surface ?? this.canvas;
    gl.bindFramebuffer(gl.FRAMEBUFFER, surface?.frame ?? null);
    gl.viewport(0, 0, width, height);
    this.passes++;
    return [width, height];
  }

  #blend(how) {
    const gl = this.gl;
    if (!how) return gl.disable(gl.BLEND);
    gl.enable(gl.BLEND);
    gl.blendEquation(how === "subtract" ? gl.FUNC_REVERSE_SUBTRACT : gl.FUNC_ADD);
    gl.blendFunc(...(ALPHA[how] ?? ALPHA.add).map((name) => gl[name]));
  }

  /**
   * Draw one rectangle.
   * @param {Surface|null} target null: the canvas
   * @param {{box?: number[], blend?: string}} options box: x0, y0, x1, y1, all of the target else; blend: "straight",
   *   "premultiplied", "add" or "subtract"
   */
  pass(program, target, values, { box, blend } = {}) {
    const gl = this.gl, room = this.#into(target), where = box ?? [0, 0, ...room];
    this.#set(program, { ...values, box: where, room, turned: target ? 0 : 1 });
    this.#blend(blend);
    gl.disable(gl.DEPTH_TEST);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  /**
   * Draw triangles one after the other, nearer ones before farther ones, each in a box of its own that `program`'s
   * vertex shader finds by gl_VertexID, six each (instances of four are slow without a graphics unit); those of `ranges` [first, count] of each part, a part beside the other.
   */
  triangles(program, target, values, parts, side) {
    const gl = this.gl;
    this.#into(target);
    gl.disable(gl.BLEND);
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LEQUAL);
    gl.depthMask(true);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    parts.forEach((ranges, part) => {
      gl.viewport(part * side[0], 0, side[0], side[1]);
      for (const [first, count] of ranges) {
        this.#set(program, { ...values, first, room: side, shift: part * side[0] });
        gl.drawArrays(gl.TRIANGLES, 0, 6 * count);
      }
    });
    gl.disable(gl.DEPTH_TEST);
  }

  /** Copy a box of one target into the corner of another. */
  copy(from, to, [x0, y0, x1, y1]) {
    const gl = this.gl;
    gl.bindFramebuffer(gl.FRAMEBUFFER, from.frame);
    gl.bindTexture(gl.TEXTURE_2D, to.texture);
    gl.copyTexSubImage2D(gl.TEXTURE_2D, 0, 0, 0, x0, y0, x1 - x0, y1 - y0);
  }

  /** Show a target on the canvas. */
  show({ frame, width, height }) {
    const gl = this.gl, { width: w, height: h } = this.canvas;
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, frame);
    gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, null);
    gl.blitFramebuffer(0, 0, width, height, 0, h, w, 0, gl.COLOR_BUFFER_BIT, w === width && h === height ? gl.NEAREST : gl.LINEAR);
  }

  /** All of a target at once, Uint8Array or Float32Array of four channels: for tests, and slow. */
  now({ frame, width, height, kind }) {
    const gl = this.gl, whole = kind === "rgba8";
    const data = whole ? new Uint8Array(4 * width * height) : new Float32Array(4 * width * height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
    gl.readPixels(0, 0, width, height, gl.RGBA, whole ? gl.UNSIGNED_BYTE : gl.FLOAT, data);
    return data;
  }

  /** What a target of bytes holds, into `data`, without making the page wait for it. @returns {Promise<boolean>} */
  async later(surface, data) {
    const gl = this.gl, { frame, width, height } = surface;
    if (!surface.packed) {
      surface.packed = this.#make("Buffer"); // its own: another surface may be read meanwhile
      gl.bindBuffer(gl.PIXEL_PACK_BUFFER, surface.packed);
      gl.bufferData(gl.PIXEL_PACK_BUFFER, data.byteLength, gl.STREAM_READ);
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, surface.packed);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, 0);
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
    const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
    while (!gl.isContextLost()) {
      await soon();
      const state = gl.clientWaitSync(fence, 0, 0);
      if (state === gl.WAIT_FAILED) return false;
      if (state === gl.TIMEOUT_EXPIRED) continue;
      gl.deleteSync(fence);
      gl.bindBuffer(gl.PIXEL_PACK_BUFFER, surface.packed);
      gl.getBufferSubData(gl.PIXEL_PACK_BUFFER, 0, data);
      gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
      return true;
    }
    return false;
  }
}

const channel = new MessageChannel(), waiting = [];
channel.port1.onmessage = () => waiting.shift()?.();
channel.port1.unref?.();

/** A while later: a timer, which costs nothing meanwhile; in hidden pages, whose timers are slow, the next task. */
function soon() {
  if (!globalThis.document?.hidden) return new Promise((go) => setTimeout(go, 1));
  return new Promise((go) => {
    waiting.push(go);
    channel.port2.postMessage(0);
  });
}
