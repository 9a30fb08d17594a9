// Runs in the audio thread: hands on what sounds, in pieces of 20 ms, silence too, with the time at which it began.

/* global registerProcessor, AudioWorkletProcessor, currentFrame, sampleRate */
const PIECE = Math.round(sampleRate / 50);

class Tap extends AudioWorkletProcessor {
  constructor() {
    super();
    this.piece = new Float32Array(PIECE);
    this.count = 0;
  }

  process([channels]) {
    const length = channels[0]?.length ?? 128;
    for (let at = 0; at < length; at++) {
      let sum = 0;
      for (const channel of channels) sum += channel[at];
      this.piece[this.count++] = channels.length ? sum / channels.length : 0;
      if (this.count < PIECE) continue;
      const began = (currentFrame + at + 1 - PIECE) / sampleRate;
      this.port.postMessage({ began, samples: this.piece }, [this.piece.buffer]);
      this.piece = new Float32Array(PIECE);
      this.count = 0;
    }
    return true;
  }
}

registerProcessor("speechhead-tap", Tap);
