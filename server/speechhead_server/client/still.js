/** The last picture, for as long as no new one comes: a connection that breaks would leave black behind. */

export class Still {
  /** @param {HTMLCanvasElement} canvas over which the video is shown @param {HTMLVideoElement} video */
  constructor(canvas, video) {
    this.canvas = canvas;
    this.video = video;
  }

  /** Keep what the video shows now, if it shows anything. */
  keep() {
    const { canvas, video } = this;
    if (!video.videoWidth || !video.classList.contains("seen")) return;
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.hidden = false;
    video.classList.remove("seen");
  }

  drop() {
    this.canvas.hidden = true;
  }
}
