// The worker of networks.js: one thing at a time, in the order asked.
import {fetched} from "./fetched.js";

const sessions = new Map(), held = new Map();
let ort, queue = Promise.resolve(), asked = 0; // asked: what was, and has no answer yet

self.onmessage = ({data}) => {
  if (data.whole) return answered(data); // what comes meanwhile does not wait for it
  asked++;
  queue = queue.then(() => answered(data));
};

async function answered({number, ...what}) {
  try {
    const result = await done(what);
    const parts = what.run ? Object.values(result).map(({data}) => data.buffer) : [];
    self.postMessage({number, result}, parts);
    if (what.open) setTimeout(warmed, 0, what.open);
  } catch (error) {
    self.postMessage({number, error: error.message ?? String(error)});
  } finally {
    if (!what.whole) asked--;
  }
}

function done(what) {
  if (what.whole) return Promise.all(sessions.values()).then(() => true);
  if (what.open) return opened(what);
  if (what.hold) return kept(what.hold, what.inputs);
  return run(what.run, what.inputs);
}

async function opened({open: names, later, base, threads}) {
  const models = new Map([...names, ...later].map((name) => [name, fetched(new URL(`weights/${name}.onnx`, base))]));
  for (const model of models.values()) model.catch(() => {}); // told by who waits for it
  const engine = await started(base, threads);
  const made = async (name) => ort.InferenceSession.create(await models.get(name), {executionProviders: [engine]});
  for (const name of names) sessions.set(name, await made(name));
  let before = turn();
  for (const name of later) {
    before = before.then(() => made(name)).then(async (session) => {
      await turn(); // what can be run already is, in between
      await ranZeros(session);
      await turn();
      return session;
    });
    before.catch(() => {});
    sessions.set(name, before);
  }
  return engine;
}

/** Let what was asked meanwhile come in, and be done. */
async function turn() {
  do await new Promise((go) => setTimeout(go, 5));
  while (asked);
}

/** Run networks once, of zeros, while nobody asks for anything: the first time of each is slow. */
async function warmed(names) {
  for (const name of names) {
    await new Promise((go) => setTimeout(go)); // what was asked meanwhile comes in
    if (asked) return;
    queue = queue.then(() => ranZeros(sessions.get(name)));
    await queue;
  }
}

async function ranZeros(session) {
  const zeros = session.inputMetadata.map(({name, shape}) => {
    const dims = shape.map((side) => (side > 0 ? side : 1)); // others are free
    return [name, new ort.Tensor("float32", new Float32Array(dims.reduce((a, b) => a * b, 1)), dims)];
  });
  const made = await session.run(Object.fromEntries(zeros)).catch(() => ({})); // what takes no zeros stays cold
  for (const tensor of Object.values(made)) tensor.dispose();
}

/** The name of what runs here: WebGPU where there are a device and the build for it, else WebAssembly. */
async function started(base, threads) {
  const vendor = new URL("vendor/", base);
  const device = await navigator.gpu?.requestAdapter().catch(() => null);
  if (device) {
    ort = await import(new URL("ort.webgpu.min.mjs", vendor).href).catch(() => null);
    if (ort) {
      ort.env.wasm.wasmPaths = vendor.href;
      return "webgpu";
    }
  }
  ort = await import(new URL("ort.wasm.min.mjs", vendor).href);
  ort.env.wasm.wasmPaths = {mjs: new URL("ort-wasm-simd-threaded.mjs", vendor).href};
  ort.env.wasm.wasmBinary = await fetched(new URL("ort-wasm-simd-threaded.wasm.gz", vendor));
  ort.env.wasm.numThreads = threads;
  return "wasm";
}

async function kept(name, inputs) {
  held.set(name, {...held.get(name), ...tensors(inputs)});
}

async function run(name, inputs) {
  const session = await sessions.get(name);
  if (!session) throw new Error(`network '${name}' was not opened. Name it in Networks.open.`);
  const results = await session.run({...held.get(name), ...tensors(inputs)});
  const told = {};
  for (const [output, tensor] of Object.entries(results)) {
    told[output] = {data: new Float32Array(await tensor.getData()), dims: [...tensor.dims]};
    tensor.dispose();
  }
  return told;
}

function tensors(inputs) {
  return Object.fromEntries(Object.entries(inputs).map(([name, {data, dims}]) => [name, new ort.Tensor("float32", data, dims)]));
}
