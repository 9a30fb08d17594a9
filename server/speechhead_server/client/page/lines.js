// Draws landmarks as lines: what moves, where no picture can be drawn.

const LINES = [[0, 16], [17, 21], [22, 26], [27, 30], [31, 35], [36, 41, true], [42, 47, true], [48, 59, true], [60, 67, true]];

export class Lines {
  /** @param {HTMLCanvasElement} canvas @param {number} size of the scene, in whose pixels poses are */
  constructor(canvas, size) {
    this.pen = canvas.getContext("2d");
    this.scale = canvas.width / size;
  }

  /** @param {{landmarks: Float32Array, pose: number[]}} motion */
  async draw({ landmarks, pose }) {
    const { pen } = this, [yaw, pitch, roll, x, y, , size] = pose;
    const [a, b, c] = [yaw, pitch, roll].map((angle) => (angle * Math.PI) / 180);
    const across = [Math.cos(c) * Math.cos(a), -Math.sin(c) * Math.cos(b) - Math.cos(c) * Math.sin(a) * Math.sin(b),
      Math.sin(c) * Math.sin(b) - Math.cos(c) * Math.sin(a) * Math.cos(b)];
    const down = [Math.sin(c) * Math.cos(a), Math.cos(c) * Math.cos(b) - Math.sin(c) * Math.sin(a) * Math.sin(b),
      -Math.cos(c) * Math.sin(b) - Math.sin(c) * Math.sin(a) * Math.cos(b)];
    const place = (row, k) => row[0] * landmarks[3 * k] + row[1] * landmarks[3 * k + 1] + row[2] * landmarks[3 * k + 2];
    const at = (k) => [(x + size * place(across, k)) * this.scale, (y + size * place(down, k)) * this.scale];
    pen.clearRect(0, 0, pen.canvas.width, pen.canvas.height);
    pen.strokeStyle = "#b0421c";
    pen.lineWidth = 2;
    for (const [first, last, closed] of LINES) {
      pen.beginPath();
      for (let k = first; k <= last; k++) pen.lineTo(...at(k));
      if (closed) pen.closePath();
      pen.stroke();
    }
    for (const iris of [68, 69]) {
      pen.beginPath();
      pen.arc(...at(iris), 4, 0, 7);
      pen.stroke();
    }
  }

  close() {}
}
