/** The page: joins session, connection, captions, controls and portraits to what is on the screen. */

import { Api, Problem } from "./api.js";
import { Captions } from "./captions.js";
import { serverBack } from "./comeback.js";
import { Composer } from "./composer.js";
import { Connection, openMicrophone, whenSeen } from "./connection.js";
import { Controls } from "./controls.js";
import { Drawn } from "./drawn.js";
import { keepFocus } from "./focus.js";
import { Notices } from "./notices.js";
import { Pace, StandingStill } from "./pace.js";
import { Portraits } from "./portraits.js";
import { Readout } from "./readout.js";
import { Recorder } from "./recorder.js";
import { Talk } from "./talk.js";
import { endSession, openSession } from "./sessions.js";
import { Still } from "./still.js";
import { Keyframes, Take } from "./take.js";
import { fillScreen, takeDrops } from "./gestures.js";
import { followTheme } from "./theme.js";
import { fillVoices } from "./voices.js";

const MEND = [500, 2000, 5000]; // ms before each new attempt after a broken path
const SAID = { idle: "Live", thinking: "Thinking", speaking: "Speaking", listening: "Listening" };

const $ = (id) => document.getElementById(id);
const api = new Api();
const captions = new Captions($("captions"), $("spoken"));
const recorder = new Recorder();
const notices = new Notices(document);
const drawn = new Drawn(
  { generator: $("generator"), size: $("size"), background: $("background"), colour: $("background-colour") }, () => stage().phase !== "off" && start(),
);
const take = new Take({ seed: $("seed"), another: $("another") }, () => stage().phase !== "off" && start());
const keyframes = new Keyframes({ file: $("keyframes"), name: $("keyframes-name"), clear: $("keyframes-clear") });
const pace = new Pace({
  slow: (fps, sent) => notices.show(new StandingStill(fps, sent, drawn.smaller), config, () => drawn.shrink()),
  well: () => notices.settle(StandingStill),
});
const readout = new Readout(document, () => api.get(`/sessions/${session.id}/stats`), (...rates) => pace.look(...rates));
const still = new Still($("still"), $("video"));
const composer = new Composer({ form: $("composer"), text: $("text"), count: $("count"), speak: $("speak") }, say);
const portraits = new Portraits(
  api,
  {
    list: $("portraits"), file: $("portrait-file"), box: $("upload"), preview: $("upload-preview"),
    text: $("upload-text"), bar: $("upload-bar"), cancel: $("upload-cancel"), kept: $("kept"),
  },
  { chosen: choosePortrait, failed: tell, ready: (avatar) => announce(`${avatar.name} is ready`) },
);

const talk = new Talk(document, {
  api, tell, announce,
  sound: applySound,
  live: async () => ((await live()) ? session : null),
  microphone: (on) => (on ? openSound() : endMicrophone()),
});

let config = null;
let controls = null;
let session = null;
let connection = null;
let state = "idle";
let muted = false; // by the visitor; a microphone mutes besides
let leaving = false; // the server said that it ends
let turn = 0; // of starts and stops: what belongs to an earlier one is dropped

// Beginning.

async function begin() {
  notices.clear();
  try {
    config = await api.get("/config");
    const [{ voices }] = await Promise.all([api.get("/voices"), portraits.load(config.limits)]);
    fillVoices($("voice"), voices);
  } catch (error) {
    tell(error, begin);
    return;
  }
  drawn.offer(config.generators);
  composer.most = config.limits.text;
  talk.offer(config.talk);
  controls ??= new Controls(
    { sliders: $("sliders"), reset: $("reset"), emotions: $("emotions"), intensities: $("intensities") }, config.emotions, sendControls);
  await showPoster(portraits.chosen);
  $("start").disabled = $("speak").disabled = $("mic").disabled = $("sound").disabled = false;
}

async function showPoster(avatar) {
  const address = await portraits.picture(avatar).catch(() => "");
  $("poster").src = address;
  $("poster").hidden = !address;
  $("ambient").style.backgroundImage = address && `url(${address})`;
}

// Session and connection.

async function start() {
  const mine = ++turn;
  notices.clear();
  show("connecting");
  try {
    await release();
    const body = { avatar: portraits.chosen.id, ...drawn.chosen, ...take.chosen, controls: controls.values };
    const made = await openSession(api, body);
    if (mine !== turn) return void endSession(api, made).catch(() => {});
    session = made;
    take.shown(made);
    await connect(mine);
  } catch (error) {
    if (mine !== turn || error.name === "AbortError") return;
    await stop();
    tell(portraits.without(error), start);
  }
}

async function connect(mine) {
  const microphone = connection?.microphone ?? null;
  connection?.close();
  const made = (connection = new Connection(api, session.whep, config.ice_servers, {
    message: (message) => made === connection && hear(message),
    lost: () => mine === turn && mend(mine),
  }));
  await made.open();
  if (mine !== turn) return;
  if (microphone?.readyState === "live") await made.speak(microphone);
  const video = $("video");
  video.srcObject = made.stream;
  whenSeen(video, () => {
    if (made !== connection) return;
    video.classList.add("seen");
    still.drop();
  });
  applySound();
  video.play().catch((error) => {
    if (error.name !== "NotAllowedError" || mine !== turn) return;
    muted = true; // sound needs a click on the page first
    applySound();
    video.play().catch(() => {});
  });
  show("live");
  talk.follow(session);
  pace.reset();
  readout.start(made);
  announce("Connected");
}

/** Try again what has worked before; the session waits for us meanwhile. */
async function mend(mine) {
  still.keep();
  notices.settle(StandingStill);
  show("mending");
  announce("Connection lost, trying again");
  readout.stop();
  for (const pause of MEND) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    if (mine !== turn) return;
    try {
      await connect(mine);
      return;
    } catch (error) {
      if (mine !== turn) return;
      if (pause === MEND.at(-1) || error.status === 404) {
        await (leaving || [0, 404].includes(error.status) ? revive() : fail(error));
        return;
      }
    }
  }
}

/** Give up, and say why. */
const fail = (error) => stop().then(() => tell(portraits.without(error), start));

/** The server goes, or has gone: come back when it does. */
async function revive() {
  const mine = ++turn;
  still.keep();
  show("mending");
  $("pill-text").textContent = "The server is away, waiting for it";
  readout.stop();
  announce("The server is away. The page waits for it.");
  try {
    if (!(await serverBack(api, () => mine === turn))) return;
    leaving = false;
    await start();
  } catch (error) {
    if (mine === turn) await fail(error);
  }
}

async function stop() {
  turn++;
  still.drop();
  show("off");
  await release();
}

/** Free everything here and at the server, which may hold no second session. */
async function release(vanishing = false) {
  recorder.stop();
  readout.stop();
  captions.clear();
  talk.leave();
  endMicrophone();
  const [ended, closed] = [session, connection];
  session = connection = null;
  $("video").srcObject = null;
  $("video").classList.remove("seen");
  closed?.close(false);
  if (ended) await endSession(api, ended, vanishing).catch(() => {});
}

async function live() {
  if (stage().phase === "off") await start();
  return stage().phase === "live";
}

async function choosePortrait(avatar) {
  await showPoster(avatar);
  if (stage().phase !== "off") await start();
}

// What the server says.

function hear(message) {
  if (message.type === "hello" && message.state) showState(message.state); // of a session that others joined before
  else if (message.type === "state") showState(message.state);
  else if (message.type === "caption") captions.caption(message);
  else if (message.type === "word") captions.word(message);
  else if (message.type === "done") captions.done(message);
  else if (message.type === "closing") leaving = true;
  else if (message.type === "ending") announce(`The session ends in ${message.seconds} seconds`);
  else if (message.type === "error" && message.utterance === null && leaving) revive();
  else if (message.type === "error") {
    if (message.utterance === null) stop(); // the session itself
    tell(new Problem(message.error, message.utterance === null ? 404 : 422), message.utterance === null ? start : undefined);
  }
}

// What the visitor asks for.

async function say(interrupt) {
  const text = $("text").value.trim();
  if (!text) {
    $("text").focus();
    return;
  }
  try {
    if (!(await live())) return;
    const voice = $("voice").value || undefined;
    await api.json("POST", `/sessions/${session.id}/say`, { text, voice, interrupt });
    composer.empty();
  } catch (error) {
    tell(error);
  }
}

async function play(file) {
  try {
    if (file.size > config.limits.audio) {
      throw new Problem(`${file.name} is too large: at most ${Math.floor(config.limits.audio / 2 ** 20)} MB.`, 413);
    }
    if (!(await live())) return;
    await api.upload(`/sessions/${session.id}/audio`, file, () => {}, undefined, await keyframes.chosen());
  } catch (error) {
    tell(error);
  }
}

function interrupt() {
  if (!connection) return;
  if (!connection.tell({ type: "interrupt" })) api.json("POST", `/sessions/${session.id}/interrupt`).catch(tell);
  announce("Stopped");
}

function sendControls() {
  if (session) api.json("PATCH", `/sessions/${session.id}/controls`, controls.values).catch(tell);
}

async function toggleMicrophone() {
  if (connection?.microphone) {
    endMicrophone();
    announce("Microphone off");
    return;
  }
  try {
    if (!(await openSound())) return;
    $("mic").setAttribute("aria-pressed", "true");
    announce("Microphone on: the avatar speaks with you, its sound is muted here");
  } catch (error) {
    tell(error);
  }
}

/** Send the microphone's sound; false if there is no connection to send it by. */
async function openSound() {
  if (connection?.microphone?.readyState === "live") return true;
  const track = await openMicrophone();
  if (!(await live())) {
    track.stop();
    return false;
  }
  track.addEventListener("ended", endMicrophone); // unplugged, or taken back in the browser's bar
  await connection.speak(track);
  applySound();
  return true;
}

function endMicrophone() {
  if (talk.open) talk.deaf();
  const track = connection?.microphone;
  if (track) {
    track.stop();
    connection.speak(null).catch(() => {});
  }
  $("mic").setAttribute("aria-pressed", "false");
  applySound();
}

/**
 * No echo: the avatar is silent here while it repeats the microphone, and the microphone while it says something. In a
 * conversation both are heard, so that the visitor may interrupt; the browser takes the avatar's voice out of the microphone.
 */
function applySound() {
  const microphone = connection?.microphone;
  if (microphone) microphone.enabled = talk.active ? talk.hears : state !== "speaking";
  $("video").muted = muted || (!talk.active && Boolean(microphone?.enabled));
  $("mute").setAttribute("aria-pressed", String(muted));
  $("mute").querySelector("use").setAttribute("href", muted ? "#i-mute" : "#i-sound");
}

// What is on the screen.

function stage() {
  return $("stage").dataset;
}

function show(phase) {
  stage().phase = phase;
  const on = phase === "live";
  for (const id of ["record", "mute"]) $(id).disabled = !on;
  $("record").disabled ||= !Recorder.possible;
  $("leave").disabled = phase === "off";
  $("start").hidden = phase !== "off";
  showState("idle");
}

function showState(now) {
  state = now;
  stage().state = now;
  const phase = { off: "Not connected", connecting: "Connecting", mending: "Connection lost, trying again" }[stage().phase];
  $("pill-text").textContent = phase ?? SAID[now] ?? now;
  $("interrupt").disabled = Boolean(phase) || now === "idle"; // there is nothing to stop
  applySound();
}

/** Show a problem with a way out of it; a missing token is asked for instead. */
function tell(error, again = begin) {
  if (error.status === 401) notices.ask(api, again);
  else notices.show(error, config, again);
}

function announce(text) {
  $("announce").textContent = text;
}

// Wiring.

$("start").addEventListener("click", start);
$("leave").addEventListener("click", stop);
$("interrupt").addEventListener("click", interrupt);
$("mic").addEventListener("click", toggleMicrophone);
recorder.follow($("record"), () => connection.stream, announce);
$("mute").addEventListener("click", () => {
  muted = !muted;
  applySound();
});
fillScreen($("full"), $("stage"));
$("sound").addEventListener("click", () => $("sound-file").click());
$("sound-file").addEventListener("change", ({ target }) => {
  if (target.files[0]) play(target.files[0]);
  target.value = "";
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]") && stage().phase === "live") interrupt();
});
takeDrops((file) => config && (file.type.startsWith("audio/") ? play(file) : portraits.upload(file)));
addEventListener("pagehide", () => {
  turn++;
  release(true);
});
addEventListener("pageshow", (event) => event.persisted && show("off"));

followTheme($("theme"));
keepFocus();
show("off");
begin();
