// Networks that run in a worker of their own, so that the page stays free: onnxruntime-web by WebAssembly, or by
// WebGPU where the operator has laid that build beside it (vendor/README.md).

/** @typedef {{data: Float32Array, dims: number[]}} Tensor */

export class Networks {
  #worker;
  #calls = new Map();
  #ended = null; // why nothing can be asked any more
  #number = 0;

  /**
   * @param {{base?: string|URL, names: string[], threads?: number}} options base: the folder of draw/, vendor/ and
   *   weights/; names: of files in weights/, without .onnx; threads: more than one only where the page is isolated
   * @returns {Promise<Networks>}
   */
  static async open(options) {
    const networks = Networks.begin(options);
    await networks.ready;
    return networks;
  }

  /** The same at once: what is to be run meanwhile waits for `ready`, which fails where they can not be opened. */
  static begin({base = new URL("../", import.meta.url), names, threads = 1}) {
    const networks = new Networks(new URL("draw/networks_worker.js", new URL(base, globalThis.location?.href)));
    const count = globalThis.crossOriginIsolated ? threads : 1;
    networks.ready = networks.#opened({open: names, base: new URL(base, location.href).href, threads: count});
    return networks;
  }

  async #opened(asked) {
    try {
      this.engine = await this.#call(asked);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** @param {URL} url of the worker */
  constructor(url) {
    /** "webgpu" or "wasm". */
    this.engine = "";
    this.#worker = new Worker(startable(url), {type: "module"});
    this.#worker.onmessage = ({data: {number, result, error}}) => {
      const {done, fail} = this.#calls.get(number);
      this.#calls.delete(number);
      if (error) fail(new Error(error));
      else done(result);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault?.();
      const why = event.message || "it was not loaded";
      this.#failAll(new Error(`The networks' worker can not run (${why}). Reload the page.`));
    };
  }

  /**
   * @param {string} name
   * @param {Record<string, Tensor>} inputs stay as they are: the worker gets a copy
   * @returns {Promise<Record<string, Tensor>>}
   */
  run(name, inputs) {
    return this.#call({run: name, inputs: alone(inputs)});
  }

  /** Inputs that stay the same, given once: `run` takes them where it is given no others of their names. */
  hold(name, inputs) {
    return this.#call({hold: name, inputs: alone(inputs)});
  }

  /** End the worker; what it still had to do fails. */
  close() {
    this.#worker.terminate();
    this.#failAll(new Error("The networks are closed."));
  }

  #call(message) {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((done, fail) => {
      const number = this.#number++;
      this.#calls.set(number, {done, fail});
      this.#worker.postMessage({number, ...message});
    });
  }

  #failAll(error) {
    this.#ended = error;
    for (const {fail} of this.#calls.values()) fail(error);
    this.#calls.clear();
  }
}

/** Tensors without what else is in their buffers, which would be copied with them. */
function alone(inputs) {
  const own = ({data, dims}) => ({dims, data: data.byteLength < data.buffer.byteLength ? data.slice() : data});
  return Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, own(tensor)]));
}

/** A worker's address that a page may start: a page of another origin starts one of its own, which imports ours. */
function startable(url) {
  if (url.origin === location.origin) return url;
  return URL.createObjectURL(new Blob([`import ${JSON.stringify(url.href)};`], {type: "text/javascript"}));
}
