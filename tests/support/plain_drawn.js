// Body of a function for support.node: draws without a graphics unit what `support.scene_folder` has written.
const { PlainPicture } = await load("draw/plain/picture.js");
const read = (name) => readFileSync(`${given.files}/${name}`);
const told = JSON.parse(read("scene.json")), blob = read("scene.bin");
const TYPES = { float32: Float32Array, uint8: Uint8Array, int32: Int32Array };
const array = ({ at, type, shape }) => ({ shape, data: new TYPES[type](blob.buffer, blob.byteOffset + at, shape.reduce((a, b) => a * b, 1)) });
const scene = { meta: told.meta, array: (name) => array(told.arrays[name]) };
const numbers = (row) => (name) => array(row.numbers[name]).data;
const eyes = (rows) => [0, 1].map((side) => rows.filter((row) => row.side === side).map((row) => ({ number: numbers(row), box: row.boxes.eye }))[0] ?? null);
const picture = new PlainPicture(scene), sheet = picture.sheet(), found = [];
for (const { frame, balls, lids, torch } of told.moments) {
  const moment = { number: numbers(frame), boxes: frame.boxes, balls: eyes(balls), lids: eyes(lids) };
  const inputs = picture.begun(moment, sheet), of = (name) => array(torch[name]).data;
  picture.done(moment, sheet, { mouth: of("mouth"), eyes: of("eyes") }, inputs.mouth_shapes.data);
  const all = (name) => of(name).length / 4, seen = {};
  const mean = (a, b) => a.reduce((sum, value, k) => sum + Math.abs(value - b[k]), 0) / a.length;
  for (const name of ["mouth", "eyes"]) {
    seen[`${name}_warped`] = mean(inputs[`${name}_warped`].data, of(`${name}_seen`));
    seen[`${name}_shapes`] = mean(inputs[`${name}_shapes`].data, of(`${name}_seen`).subarray(3 * all(name)));
  }
  const flow = of("flow"), moves = picture.flow.moves, far = (k) => moves[0][k] - flow[2 * k], down = (k) => moves[1][k] - flow[2 * k + 1];
  let away = 0;
  for (let k = 0; k < flow.length / 2; k++) away += Math.hypot(far(k), down(k));
  found.push({ frame: Buffer.from(sheet.frame).toString("base64"), seen, flow: (away / flow.length) * scene.meta.size });
}
return found;
