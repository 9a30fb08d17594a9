/** A video whose background is one colour, shown without it: the codecs of WebRTC hold no transparency. */

/** The colour of the background: far from skin, hair and eyes. */
export const KEY = "#00b140";

const VERTICES = `
attribute vec2 corner;
varying vec2 at;
void main() {
  at = vec2(corner.x, 1.0 - corner.y);
  gl_Position = vec4(2.0 * corner - 1.0, 0.0, 1.0);
}`;

/*
 * A pixel is a P + (1 - a) K: of the person P, and of the key K. Its share is told from how far its chroma lies from the
 * key's, as a part of how far grey does; what it holds of the key is then taken away, so that no green rim stays at hair.
 * Of the four pixels beside it the middle one counts: chroma comes at half the resolution, and has its noise.
 */
const PIXELS = `
precision mediump float;
varying vec2 at;
uniform sampler2D video;
uniform vec3 key;
uniform vec2 step;
const float NONE = 0.18, WHOLE = 0.72;
vec2 chroma(vec3 c) { return vec2(dot(c, vec3(-0.169, -0.331, 0.5)), dot(c, vec3(0.5, -0.419, -0.081))); }
float far(vec2 place) {
  vec2 of = chroma(key);
  return distance(chroma(texture2D(video, place).rgb), of) / length(of);
}
void main() {
  vec3 seen = texture2D(video, at).rgb;
  float beside = far(at + vec2(step.x, 0.0)) + far(at - vec2(step.x, 0.0)) + far(at + vec2(0.0, step.y)) + far(at - vec2(0.0, step.y));
  float share = smoothstep(NONE, WHOLE, 0.5 * far(at) + 0.125 * beside);
  vec3 person = share > 0.0 ? clamp((seen - (1.0 - share) * key) / share, 0.0, 1.0) : vec3(0.0);
  vec2 of = chroma(key), left = chroma(person);
  float spill = max(0.0, dot(left, normalize(of)) - 0.04);
  vec2 less = left - spill * normalize(of);
  float light = dot(person, vec3(0.299, 0.587, 0.114));
  person = clamp(vec3(light + 1.402 * less.y, light - 0.344 * less.x - 0.714 * less.y, light + 1.772 * less.x), 0.0, 1.0);
  gl_FragColor = vec4(person * share, share);
}`;

export class KeyedPicture {
  #video;
  #canvas;
  #gl;

  /** @param {HTMLVideoElement} video @param {HTMLCanvasElement} canvas it is shown on @param {string} key #rrggbb */
  constructor(video, canvas, key = KEY) {
    const parts = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(key);
    if (!parts) throw new Error(`The key ${key.slice(0, 20)} is no colour. Write %23rrggbb.`);
    const gl = canvas.getContext("webgl", { alpha: true, premultipliedAlpha: true, antialias: false });
    if (!gl) throw new Error("This browser draws no WebGL, which transparency needs. Switch hardware acceleration on.");
    this.#video = video;
    this.#canvas = canvas;
    this.#gl = gl;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTICES], [gl.FRAGMENT_SHADER, PIXELS]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(gl.getAttribLocation(program, "corner"));
    gl.vertexAttribPointer(gl.getAttribLocation(program, "corner"), 2, gl.FLOAT, false, 0, 0);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, name, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.uniform3f(gl.getUniformLocation(program, "key"), ...parts.slice(1).map((part) => parseInt(part, 16) / 255));
    this.step = gl.getUniformLocation(program, "step");
  }

  /** Show every frame of the video from now on. */
  start() {
    const next = () => {
      this.draw(this.#video, this.#video.videoWidth, this.#video.videoHeight);
      if (this.#video.requestVideoFrameCallback) this.#video.requestVideoFrameCallback(next);
      else requestAnimationFrame(next);
    };
    next();
  }

  /** Show one picture: a video's frame, or a canvas. */
  draw(picture, width, height) {
    if (!width) return;
    const gl = this.#gl;
    if (this.#canvas.width !== width || this.#canvas.height !== height) Object.assign(this.#canvas, { width, height });
    gl.viewport(0, 0, width, height);
    gl.uniform2f(this.step, 1 / width, 1 / height);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, picture);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }
}
