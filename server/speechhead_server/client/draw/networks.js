// Networks that run in a worker of their own, so that the page stays free: onnxruntime-web by WebAssembly, or by
// WebGPU where the operator has laid that build beside it (vendor/README.md).
import {Caller} from "./caller.js";

/** @typedef {{data: Float32Array, dims: number[]}} Tensor */

export class Networks {
  #worker;

  /**
   * @param {{base?: string|URL, names: string[], later?: string[], threads?: number}} options base: the folder of draw/, vendor/ and
   *   weights/; names: of files in weights/, without .onnx; later: others, opened after `ready`; threads: more than one
   *   only where the page is isolated
   * @returns {Promise<Networks>}
   */
  static async open(options) {
    const networks = Networks.begin(options);
    await networks.ready;
    return networks;
  }

  /**
   * The same at once: what is to be run meanwhile waits for `ready`, which fails where they can not be opened; `whole`
   * is when all are, and `missing` whether some are not.
   */
  static begin({base = new URL("../", import.meta.url), names, later = [], threads = 1}) {
    const networks = new Networks(new URL("draw/networks_worker.js", new URL(base, globalThis.location?.href)));
    const count = globalThis.crossOriginIsolated ? threads : 1;
    networks.ready = networks.#opened({open: names, later, base: new URL(base, location.href).href, threads: count});
    networks.missing = later.length > 0;
    networks.whole = networks.ready.then(() => later.length && networks.#worker.call({whole: true}));
    networks.whole.then(() => (networks.missing = false), () => {}); // told by who waits for it
    return networks;
  }

  async #opened(asked) {
    try {
      this.engine = await this.#worker.call(asked);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** @param {URL} url of the worker */
  constructor(url) {
    /** "webgpu" or "wasm". */
    this.engine = "";
    this.#worker = new Caller(url, "The networks' worker");
  }

  /**
   * @param {string} name
   * @param {Record<string, Tensor>} inputs stay as they are: the worker gets a copy
   * @returns {Promise<Record<string, Tensor>>}
   */
  run(name, inputs) {
    return this.#worker.call({run: name, inputs: alone(inputs)});
  }

  /** Inputs that stay the same, given once: `run` takes them where it is given no others of their names. */
  hold(name, inputs) {
    return this.#worker.call({hold: name, inputs: alone(inputs)});
  }

  /** End the worker; what it still had to do fails. */
  close() {
    this.#worker.close(new Error("The networks are closed."));
  }
}

/** Tensors without what else is in their buffers, which would be copied with them. */
function alone(inputs) {
  const own = ({data, dims}) => ({dims, data: data.byteLength < data.buffer.byteLength ? data.slice() : data});
  return Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, own(tensor)]));
}
