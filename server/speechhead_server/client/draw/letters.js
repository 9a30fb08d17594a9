/** The mark that a picture is synthetic, as the server draws it, and how a crop lies in its picture. */

export const INK = 244, PLATE = 0.5; // light of the letters, and what is left of the picture's behind them

export const FEATHER = 0.03; // part of a crop's side over which it fades into its picture

/**
 * A text's letters, as large as the server draws them on pictures of a size.
 * @returns {{width: number, height: number, data: Uint8Array}} how much of each pixel is ink, in 0..255
 */
export function lettered(text, size) {
  const pad = Math.max(2, Math.floor(size / 100)), high = Math.max(10, Math.floor(size / 24)), font = `${high}px sans-serif`;
  const canvas = new OffscreenCanvas(size >> 1, size >> 1), context = canvas.getContext("2d", { willReadFrequently: true });
  context.font = font;
  const { width, actualBoundingBoxAscent: above, actualBoundingBoxDescent: below } = context.measureText(text);
  const [w, h] = [Math.min(Math.ceil(width) + 2 * pad, size >> 1), Math.min(Math.ceil(above + below) + 2 * pad, size >> 1)];
  context.fillStyle = "white";
  context.fillText(text, pad, pad + above);
  const { data } = context.getImageData(0, 0, w, h);
  return { width: w, height: h, data: Uint8Array.from({ length: w * h }, (_, k) => data[4 * k + 3]) };
}
