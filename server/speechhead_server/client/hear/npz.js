// Reads numpy's .npz: a zip of .npy arrays.

const READ = { "|i1": Int8Array, "<i2": Int16Array, "<i4": Int32Array, "<f4": Float32Array, "<f8": Float64Array, "|u1": Uint8Array };

/**
 * @param {ArrayBuffer} bytes of the file
 * @returns {Promise<Record<string, {shape: number[], data: ArrayLike<number>}>>}
 */
export async function readNpz(bytes) {
  const view = new DataView(bytes), arrays = {};
  let end = bytes.byteLength - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end -= 1;
  if (end < 0) throw new Error("this is no .npz file: its directory is missing. Load it anew.");
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    const [packed, size, name, extra, comment] = [20, 24, 28, 30, 32].map((place) =>
      place < 28 ? view.getUint32(at + place, true) : view.getUint16(at + place, true));
    const title = new TextDecoder().decode(new Uint8Array(bytes, at + 46, name)), local = view.getUint32(at + 42, true);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const part = new Uint8Array(bytes, start, packed), deflated = view.getUint16(at + 10, true) === 8;
    arrays[title.replace(/\.npy$/, "")] = readNpy(deflated ? await inflated(part, size) : part.slice());
    at += 46 + name + extra + comment;
  }
  return arrays;
}

async function inflated(part) {
  const stream = new Blob([part]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** One .npy array, rows first. */
function readNpy(bytes) {
  const view = new DataView(bytes.buffer), wide = bytes[6] > 1;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true), begin = (wide ? 12 : 10) + length;
  const header = new TextDecoder().decode(bytes.subarray(0, begin));
  const kind = READ[/'descr': '([^']+)'/.exec(header)?.[1]];
  if (!kind) throw new Error(`array of an unknown kind: ${header.slice(10, 80)}. Use numbers of numpy.`);
  const shape = (/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? "").split(",").filter((part) => part.trim()).map(Number);
  const data = new kind(bytes.slice(begin).buffer);
  if (!header.includes("'fortran_order': True") || shape.length < 2) return { shape, data };
  if (shape.length > 2) throw new Error("an array of columns has more than two axes. Save it by rows.");
  const [rows, columns] = shape;
  return { shape, data: data.map((_, k) => data[(k % columns) * rows + Math.trunc(k / columns)]) };
}
