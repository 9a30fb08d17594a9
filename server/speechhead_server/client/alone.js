/**
 * The picture alone, for OBS' browser source or a frame in a page: `?session=ID` joins a session, else `avatar` and `voice`
 * say what it is. `background` is transparent or a colour; `key` is the colour that is taken for transparent.
 */

import { Api } from "./api.js";
import { Connection, whenSeen } from "./connection.js";
import { KEY, KeyedPicture } from "./keyed.js";
import { endSession, openSession } from "./sessions.js";

const AGAIN = [1000, 2000, 5000, 10000, 30000]; // ms before each new attempt

const $ = (id) => document.getElementById(id);
const asked = new URL(location.href).searchParams;
const transparent = asked.get("background") === "transparent";
const key = asked.get("key") ?? KEY;
const api = new Api();
let session = null;
let connection = null;

/** A connection; resolves when it has ended, rejects where it does not come about. */
async function watch(config) {
  const background = transparent ? key : asked.get("background") ?? undefined;
  const wanted = { background, avatar: asked.get("avatar") ?? undefined, voice: asked.get("voice") ?? undefined };
  session = await openSession(api, wanted);
  await new Promise((resolve, reject) => {
    const message = ({ type, utterance }) => type === "error" && utterance === null && resolve();
    connection = new Connection(api, session.whep, config.ice_servers, { message, lost: resolve });
    connection.open().then(show, reject);
  });
}

function show() {
  const video = $("video");
  video.srcObject = connection.stream;
  whenSeen(video, () => ($("trouble").hidden = true));
  video.play().catch(() => { // browsers play no sound before a click; OBS does
    video.muted = true;
    video.play().catch(() => {});
    document.addEventListener("click", () => (video.muted = false), { once: true });
  });
}

async function leave(vanishing = false) {
  const [ended, closed] = [session, connection];
  session = connection = null;
  closed?.close(asked.has("session")); // a session of our own ends whole
  if (ended) await endSession(api, ended, vanishing).catch(() => {});
}

function trouble(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = false;
}

async function main() {
  if (transparent) {
    try {
      new KeyedPicture($("video"), $("cut"), key).start();
      $("cut").hidden = false;
      $("video").style.cssText = "position: absolute; opacity: 0; pointer-events: none";
    } catch (error) {
      trouble(error.message);
      return;
    }
  }
  for (let tries = 0; ; tries++) {
    const begun = performance.now();
    try {
      await watch(await api.get("/config"));
    } catch (error) {
      if (error.name !== "AbortError") trouble(error.message);
    }
    await leave();
    if (performance.now() - begun > 60000) tries = 0;
    await new Promise((resolve) => setTimeout(resolve, AGAIN[Math.min(tries, AGAIN.length - 1)]));
  }
}

addEventListener("pagehide", () => leave(true));
main();
