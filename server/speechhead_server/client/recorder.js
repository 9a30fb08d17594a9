/** Recording of what is seen and heard to a file on the visitor's machine. */

import { disclosed } from "./disclosure.js";

const KINDS = [
  ["video/mp4;codecs=avc1.42E01F,mp4a.40.2", "mp4"],
  ["video/webm;codecs=vp8,opus", "webm"],
  ["video/webm", "webm"],
  ["video/mp4", "mp4"],
];

export class Recorder {
  #recorder = null;
  #begun = 0;

  static get possible() {
    return typeof MediaRecorder !== "undefined" && KINDS.some(([type]) => MediaRecorder.isTypeSupported(type));
  }

  get running() {
    return this.#recorder?.state === "recording";
  }

  get seconds() {
    return this.running ? (performance.now() - this.#begun) / 1000 : 0;
  }

  /** Begin; `done` is called with the file's name and size when it has been handed to the browser. */
  start(stream, done) {
    const [mimeType, ending] = KINDS.find(([type]) => MediaRecorder.isTypeSupported(type));
    const parts = [];
    const recorder = (this.#recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond: 2_500_000 }));
    recorder.ondataavailable = ({ data }) => data.size && parts.push(data);
    recorder.onstop = async () => {
      const file = await disclosed(new Blob(parts, { type: mimeType.split(";")[0] }));
      const name = `speechhead-${new Date().toISOString().slice(0, 19).replace(/[T:]/g, "-")}.${ending}`;
      const link = document.createElement("a");
      link.href = URL.createObjectURL(file);
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      done(name, file.size);
    };
    recorder.start(1000);
    this.#begun = performance.now();
  }

  stop() {
    if (this.running) this.#recorder.stop();
  }

  /** Begin and end by a button. `stream`: what to record; `announce`: for screen readers. */
  follow(button, stream, announce) {
    const show = () => {
      const on = this.running;
      button.setAttribute("aria-pressed", String(on));
      button.setAttribute("aria-label", on ? "Stop the recording and save it" : "Record");
      button.dataset.time = on ? clockTime(this.seconds) : "";
      if (on) setTimeout(show, 500);
    };
    button.addEventListener("click", () => {
      if (this.running) {
        this.stop();
        return;
      }
      this.start(stream(), (name, size) => {
        show();
        announce(`Recording saved as ${name}, ${(size / 2 ** 20).toFixed(1)} megabytes`);
      });
      show();
      announce("Recording");
    });
  }
}

function clockTime(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}
