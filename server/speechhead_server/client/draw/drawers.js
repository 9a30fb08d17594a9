/** What draws a portrait here: a graphics unit by WebGL2, or plain numbers where there is none. */

const PLAYED = /swiftshader|llvmpipe|softpipe|software|basic render/i; // names of units that the processor plays
let found = null;

/** Whether there is a graphics unit that WebGL2 draws with. One that the processor plays is five times as slow as plain numbers. */
export function graphicsUnit() {
  found ??= sought();
  return found;
}

function sought() {
  const gl = new OffscreenCanvas(1, 1).getContext("webgl2");
  if (!gl?.getExtension("EXT_color_buffer_float")) return false;
  const told = gl.getExtension("WEBGL_debug_renderer_info");
  const name = `${gl.getParameter(gl.RENDERER)} ${told ? gl.getParameter(told.UNMASKED_RENDERER_WEBGL) : ""}`;
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return !PLAYED.test(name);
}

/**
 * @param {{canvas: HTMLCanvasElement | OffscreenCanvas, scene: import("./scene.js").Scene, mark: string, lanes: number}} options
 * @param {"" | "webgl2" | "plain"} engine one that is asked for; "": the better one here
 */
export async function opened(options, engine) {
  if (engine ? engine === "webgl2" : graphicsUnit()) return new (await import("./gl_drawer.js")).GlDrawer(options);
  return (await import("./plain/drawer.js")).PlainDrawer.open(options);
}
