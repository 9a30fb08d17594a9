// The page: a portrait in this folder says what a file or a microphone says, and no server has a part in it.

import { openScene } from "./draw/scene.js";
import { Networks } from "./draw/networks.js";
import { NETWORKS as DRAWING, Renderer } from "./draw/renderer.js";
import { Ear } from "./hear/ear.js";
import { Hearing, NETWORKS, faceOf } from "./hear/hearing.js";
import { Lines } from "./lines.js";

const BASE = new URL("./", import.meta.url);
const $ = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);

/** The avatar that is shown: what hears, what draws, and what ends with it. */
let shown = null;
let turn = 0; // of showing: what belongs to an earlier one is dropped
let context = null;
let source = null; // what sounds: {end()}

const say = (text) => ($("state").textContent = text);

/** Show a portrait; one that is asked for meanwhile takes its place. */
async function show(name) {
  const mine = ++turn;
  try {
    await begun(name, () => mine === turn);
  } catch (error) {
    if (mine !== turn) return;
    $("avatar").disabled = $("avatar").length < 2; // another one may do
    throw error;
  }
}

async function begun(name, wanted) {
  stop();
  recorder?.stop();
  allow(false);
  shown?.close();
  shown = null;
  say("Loading the portrait.");
  const painters = asked.has("lines") ? null : opened("renderer", DRAWING);
  const scene = await openScene(new URL(`${encodeURIComponent(name)}.scene`, BASE));
  if (!wanted()) return;
  const { canvas, drawing, note } = await pictured(scene, painters, wanted);
  const controls = { seed: Number(asked.get("seed") ?? 0) };
  const base = new URL("weights/", BASE), face = faceOf(scene);
  const hearing = await Hearing.open({ networks: null, base, face, controls }); // they come later
  if (!wanted()) return drawing.close();
  const ear = new Ear(hearing);
  let open = true;
  const close = () => {
    open = false;
    ear.close();
    drawing.close();
  };
  const step = async () => {
    if (!open) return;
    const motion = ear.due();
    if (motion) await drawing.draw(motion);
    if (ear.failed) say(`The networks stopped: ${ear.failed.message}`);
    document.body.dataset.frame = motion?.frame ?? document.body.dataset.frame ?? "";
    requestAnimationFrame(() => step().catch((error) => open && failed(error)));
  };
  shown = { hearing, ear, canvas, drawing, close };
  await ear.ready;
  await step();
  if (!wanted()) return;
  say("Loading the networks that hear."); // the portrait is alive meanwhile: silence needs none
  hearing.networks = opened("ear", NETWORKS);
  await hearing.networks.ready;
  if (!wanted()) return;
  if (context) await ear.start(context);
  feel();
  allow(true);
  shown.idle = `${note}Choose a sound file, or speak.`;
  say(shown.idle);
}

/** What draws, on a canvas of its own: the portrait, or landmarks where they are asked for or all that can be. */
async function pictured(scene, networks, wanted) {
  const { size } = scene.meta;
  let note = "", canvas = fresh(size);
  if (networks) {
    try {
      const drawing = await Renderer.open({ canvas, scene, networks });
      await drawing.still(); // the face is there while the networks are loaded
      return { canvas, drawing, note };
    } catch (error) {
      if (!wanted()) throw error; // the canvas is another's by now
      console.warn(error);
      note = "This browser can not draw the portrait: its landmarks are shown. ";
      canvas = fresh(size);
    }
  }
  return { canvas, drawing: new Lines(canvas, size), note };
}

/** Networks are loaded once: other portraits take the same. */
const loaded = new Map();

function opened(use, names) {
  if (!loaded.has(use)) loaded.set(use, Networks.begin({ base: BASE, names }));
  const networks = loaded.get(use);
  networks.ready.catch((error) => {
    loaded.delete(use);
    failed(error);
  });
  return networks;
}

/** What can be done with a portrait that is there. */
function allow(able) {
  for (const id of ["file", "microphone", "record"]) $(id).disabled = !able;
  $("avatar").disabled = !able || $("avatar").length < 2;
}

/** A canvas that nothing was drawn on yet: one has a single kind of context for good. */
function fresh(size) {
  const canvas = $("picture").cloneNode();
  canvas.width = canvas.height = size;
  $("picture").replaceWith(canvas);
  return canvas;
}

function failed(error) {
  console.error(error);
  say(`This does not work here: ${error.message}`);
}

/** The context of all sound, from the first click on. */
async function sounding() {
  const sound = context ?? new AudioContext();
  await Promise.race([sound.resume(), silent()]);
  if (!context) await shown.ear.start(sound);
  return (context = sound);
}

/** Fails after a while: browsers whose sound does not start say nothing. */
function silent() {
  return new Promise((_, fail) => setTimeout(() => {
    fail(new Error("the browser's sound does not start. Connect a sound output, or let the page play sound."));
  }, 4000));
}

function stop() {
  source?.end();
  source = null;
  $("stop").disabled = true;
  $("microphone").setAttribute("aria-pressed", "false");
  if (shown?.idle) say(shown.idle);
}

async function play(file) {
  stop();
  const sound = await sounding();
  say(`Reading ${file.name}.`);
  const buffer = await sound.decodeAudioData(await file.arrayBuffer()).catch(() => {
    throw new Error(`${file.name} has no sound that this browser reads. Choose a WAV, MP3, M4A or WebM file.`);
  });
  const node = new AudioBufferSourceNode(sound, { buffer });
  shown.ear.listen(node);
  node.onended = stop;
  source = { end: () => { node.onended = null; node.stop(); node.disconnect(); } };
  node.start();
  $("stop").disabled = false;
  say(`Speaking ${file.name}, ${buffer.duration.toFixed(1)} s.`);
}

/** Let the portrait say what a stream says, such as a microphone's or a call's. */
export async function follow(stream, loud = false) {
  stop();
  const sound = await sounding();
  const node = sound.createMediaStreamSource(stream);
  shown.ear.listen(node, loud);
  source = { end: () => { node.disconnect(); for (const track of stream.getTracks()) track.stop(); } };
  $("stop").disabled = false;
  say("Listening.");
}

async function microphone() {
  if ($("microphone").getAttribute("aria-pressed") === "true") return stop();
  await follow(await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true } }));
  $("microphone").setAttribute("aria-pressed", "true");
}

let recorder = null;

/** Record picture and sound, and save them. */
async function record() {
  if (recorder) return recorder.stop();
  const sound = await sounding(), voice = sound.createMediaStreamDestination();
  shown.ear.output.connect(voice);
  const pictures = shown.drawing.stream?.(25) ?? shown.canvas.captureStream(25), parts = [];
  const stream = new MediaStream([...pictures.getTracks(), ...voice.stream.getTracks()]);
  recorder = new MediaRecorder(stream);
  recorder.ondataavailable = ({ data }) => parts.push(data);
  recorder.onstop = async () => {
    const { disclosed } = await import("./disclosure.js");
    const file = await disclosed(new Blob(parts, { type: recorder.mimeType }));
    recorder = null;
    $("record").setAttribute("aria-pressed", "false");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = `speechhead.${file.type.includes("mp4") ? "mp4" : "webm"}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  };
  recorder.start(1000);
  $("record").setAttribute("aria-pressed", "true");
}

function feel() {
  const name = $("emotion").value;
  shown?.hearing.update({ emotion: name ? { [name]: 0.8 } : {} }).catch(failed);
}

async function begin() {
  const { avatars } = await (await fetch(new URL("page.json", BASE))).json();
  $("avatar").replaceChildren(...avatars.map((name) => new Option(name)));
  await show(asked.get("avatar") ?? avatars[0]);
}

$("file").addEventListener("change", ({ target }) => target.files[0] && play(target.files[0]).catch(failed));
$("microphone").addEventListener("click", () => microphone().catch(failed));
$("stop").addEventListener("click", stop);
$("record").addEventListener("click", () => record().catch(failed));
$("emotion").addEventListener("change", feel);
$("avatar").addEventListener("change", ({ target }) => show(target.value).catch(failed));
begin().catch(failed);
