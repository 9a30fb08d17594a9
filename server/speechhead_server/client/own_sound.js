/** Moves a portrait by the sound of a stream, which is heard as much later as the lips need to know what comes. */

import { Ear } from "./hear/ear.js";
import { faceOf, Hearing, NETWORKS } from "./hear/hearing.js";

export class OwnSound {
  /** @param {{stream: MediaStream, scene: object, base: string, controls: object}} given */
  static async open({ stream, scene, base, controls }) {
    const { Networks } = await import("./draw/networks.js");
    const networks = await Networks.open({ base, names: NETWORKS });
    const context = new AudioContext();
    let ear = null;
    try {
      const weights = new URL("weights/", base).href;
      ear = new Ear(await Hearing.open({ networks, base: weights, face: faceOf(scene), controls }));
      await ear.start(context);
      ear.listen(context.createMediaStreamSource(stream));
      return new OwnSound(ear, networks);
    } catch (error) {
      ear?.close();
      context.close();
      networks.close();
      throw error;
    }
  }

  constructor(ear, networks) {
    this.ear = ear;
    this.networks = networks;
  }

  update(controls) {
    this.ear.hearing.update(controls);
  }

  mute(quiet) {
    this.ear.mute(quiet);
  }

  /** What was said is at an end. */
  interrupt() {
    this.ear.interrupt();
  }

  /** After a click: browsers give no sound before. */
  resume() {
    this.ear.context.resume().catch(() => {});
  }

  /** The motion whose sound is heard in so many seconds, or null where there is no newer one than before. */
  motion(ahead = 0) {
    if (this.ear.failed) throw this.ear.failed;
    return this.ear.due(ahead);
  }

  close() {
    this.ear.close();
    this.ear.context.close();
    this.networks.close();
  }
}
