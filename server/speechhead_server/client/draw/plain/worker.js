// The worker of drawer.js: draws a portrait's frames, each in a lane of its own.
import { Moments } from "../moment.js";
import { Scene } from "../scene.js";
import { PlainPicture } from "./picture.js";
import { PlainShown } from "./shown.js";

const lanes = [];
let scene, picture, shown;

const WAYS = {
  open({ content, mark }) {
    scene = Scene.of(content);
    shown = new PlainShown(scene, mark);
    picture = new PlainPicture(scene);
    return [{ width: shown.width, height: shown.height }];
  },
  /** What the network of keypoints is given of a motion. */
  begin({ lane, motion }) {
    const own = laned(lane), { motion: input, shape } = (own.given = own.moments.before(motion));
    return [{ motion: input, shape }];
  },
  /** What the window networks are given, once that network has answered. */
  seen({ lane, delta }) {
    const own = laned(lane);
    return looked(own, own.moments.after(own.given, delta));
  },
  /** The same of the portrait at rest. */
  rest({ lane }) {
    const own = laned(lane);
    return looked(own, own.moments.resting());
  },
  /** The picture, once those have answered. */
  draw({ lane, painted }) {
    const { moment, sheet, masks } = laned(lane);
    picture.done(moment, sheet, painted, masks);
    const pixels = shown.draw(sheet.frame);
    return [pixels, [pixels.buffer]];
  },
};

/** What a lane's frame is drawn with. */
function laned(lane) {
  return (lanes[lane] ??= { sheet: picture.sheet(), moments: new Moments(scene) });
}

function looked(lane, moment) {
  const inputs = picture.begun(moment, lane.sheet);
  Object.assign(lane, { moment, masks: inputs.mouth_shapes.data });
  return [inputs];
}

self.onmessage = ({ data: { number, ask, ...given } }) => {
  try {
    const [result, kept = []] = WAYS[ask](given);
    self.postMessage({ number, result }, kept);
  } catch (error) {
    self.postMessage({ number, error: error.message ?? String(error) });
  }
};
