/** Emotion and movement: sliders that become the session's controls. */

const DEGREES = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value)}°`;
const PERCENT = (value) => `${Math.round(100 * value)} %`;

/** Ranges are those that speechhead.core.controls checks; the far ends of some are left to the interface. */
const SLIDERS = [
  { group: "Mouth" },
  { id: "mouth_amplitude", label: "Amplitude", min: 1, max: 2, step: 0.05, value: 1.4, show: (v) => `${v.toFixed(2)} ×` },
  { group: "Eyes" },
  { id: "blink_rate", label: "Blinks", min: 0, max: 60, step: 1, value: 16, show: (v) => `${v} a minute` },
  { id: "blink_frames", label: "Length of a blink", min: 2, max: 30, step: 1, value: 10, show: (v) => `${Math.round(v / 0.03)} ms` },
  { id: "look_away", label: "Glances away, up to", min: 0, max: 20, step: 1, value: 20, show: DEGREES },
  { id: "steer_gaze", label: "Steer the gaze", box: true },
  { id: "gaze_yaw", label: "Gaze left – right", min: -30, max: 30, step: 1, value: 0, show: DEGREES, needs: "steer_gaze" },
  { id: "gaze_pitch", label: "Gaze up – down", min: -25, max: 25, step: 1, value: 0, show: DEGREES, needs: "steer_gaze" },
  { group: "Head" },
  { id: "head_amplitude", label: "Movement", min: 0, max: 1.5, step: 0.05, value: 1, show: PERCENT },
  { id: "temperament", label: "Liveliness", min: 0, max: 1.5, step: 0.05, value: 1, show: PERCENT },
  { id: "idle", label: "Breathes", box: true, value: true },
  { id: "steer_head", label: "Steer the head", box: true },
  { id: "head_yaw", label: "Turn left – right", min: -25, max: 25, step: 1, value: 0, show: DEGREES, needs: "steer_head" },
  { id: "head_pitch", label: "Nod up – down", min: -20, max: 20, step: 1, value: 0, show: DEGREES, needs: "steer_head" },
  { id: "head_roll", label: "Tilt", min: -20, max: 20, step: 1, value: 0, show: DEGREES, needs: "steer_head" },
];

const NEUTRAL = "neutral";
const INTENSITY = { min: 0, max: 1, step: 0.05, value: 0.6 }; // of an emotion when it is chosen

const PAUSE = 120; // ms between two changes that are sent while a slider moves

export class Controls {
  #inputs = new Map();
  #emotions = new Map(); // name to its chip and its slider
  #change;
  #timer = 0;

  /** @param {Function} change called, not too often, after a change by hand */
  constructor({ sliders, reset, emotions, intensities }, names, change) {
    this.#change = change;
    let group = sliders;
    for (const slider of SLIDERS) {
      if (slider.group) {
        group = document.createElement("fieldset");
        group.append(Object.assign(document.createElement("legend"), { textContent: slider.group }));
        sliders.append(group);
      } else {
        group.append(this.#field(slider));
      }
    }
    for (const name of names) {
      const [chip, slider] = this.#emotion(name);
      emotions.append(chip);
      if (name !== NEUTRAL) intensities.append(slider);
    }
    reset.addEventListener("click", () => this.#reset());
    this.#show();
  }

  /** As PATCH /sessions/{id}/controls takes them. */
  get values() {
    const get = (id) => this.#inputs.get(id);
    const number = (id) => Number(get(id).value);
    return {
      emotion: Object.fromEntries(this.#mix.map(([name, { slider }]) => [name, Number(slider.value)])),
      ...Object.fromEntries(
        ["mouth_amplitude", "blink_rate", "blink_frames", "look_away", "head_amplitude", "temperament"].map((id) => [id, number(id)])),
      idle: get("idle").checked,
      gaze: get("steer_gaze").checked ? [number("gaze_yaw"), number("gaze_pitch")] : null,
      head: get("steer_head").checked ? [number("head_yaw"), number("head_pitch"), number("head_roll")] : "generated",
    };
  }

  /** The emotions that are chosen, without neutral, which is the absence of the others. */
  get #mix() {
    return [...this.#emotions].filter(([name, { chip }]) => name !== NEUTRAL && chip.checked);
  }

  #field({ id, label, min, max, step, value, box }) {
    const field = document.createElement("label");
    const input = document.createElement("input");
    input.id = id;
    field.htmlFor = id;
    const name = Object.assign(document.createElement("span"), { textContent: label });
    if (box) {
      field.className = "check";
      Object.assign(input, { type: "checkbox", checked: Boolean(value) });
      field.append(input, name);
    } else {
      field.className = "slider";
      const output = document.createElement("output");
      output.htmlFor = id;
      input.type = "range";
      Object.assign(input, { min, max, step, value });
      field.append(name, output, input);
    }
    input.addEventListener("input", () => this.#changed());
    this.#inputs.set(id, input);
    return field;
  }

  /** A chip that chooses an emotion, and the slider of its intensity, shown while it is chosen. */
  #emotion(name) {
    const label = document.createElement("label");
    const chip = Object.assign(document.createElement("input"), { type: "checkbox", name: "emotion", value: name });
    chip.checked = name === NEUTRAL;
    label.append(chip, Object.assign(document.createElement("span"), { textContent: name }));
    const field = document.createElement("label");
    field.className = "slider mood";
    const slider = Object.assign(document.createElement("input"), { type: "range", id: `intensity_${name}`, ...INTENSITY });
    field.htmlFor = slider.id;
    const output = document.createElement("output");
    output.htmlFor = slider.id;
    field.append(Object.assign(document.createElement("span"), { textContent: name }), output, slider);
    chip.addEventListener("change", () => this.#choose(name));
    slider.addEventListener("input", () => this.#changed());
    this.#emotions.set(name, { chip, slider, field });
    return [label, field];
  }

  /** Neutral takes the others away, and stands where none is left. */
  #choose(name) {
    for (const [other, { chip }] of this.#emotions) {
      if (name === NEUTRAL) chip.checked = other === NEUTRAL;
    }
    this.#emotions.get(NEUTRAL).chip.checked = this.#mix.length === 0;
    this.#changed();
  }

  #changed() {
    this.#show();
    if (this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#change();
    }, PAUSE);
  }

  #reset() {
    for (const { id, value, box } of SLIDERS.filter((slider) => slider.id)) {
      if (box) this.#inputs.get(id).checked = Boolean(value);
      else this.#inputs.get(id).value = value;
    }
    this.#changed();
  }

  #show() {
    for (const { id, show, box, needs } of SLIDERS.filter((slider) => slider.id)) {
      const input = this.#inputs.get(id);
      if (needs) input.disabled = !this.#inputs.get(needs).checked;
      if (!box) fill(input, show(Number(input.value)));
    }
    this.#inputs.get("look_away").disabled = this.#inputs.get("steer_gaze").checked;
    for (const [name, { chip, slider, field }] of this.#emotions) {
      field.hidden = !chip.checked || name === NEUTRAL;
      if (name !== NEUTRAL) fill(slider, PERCENT(slider.value));
    }
  }
}

/** The value beside a slider, for screen readers, and as the length of its filled part. */
function fill(input, text) {
  input.parentElement.querySelector("output").value = text;
  input.setAttribute("aria-valuetext", text);
  const part = (value) => (100 * (value - input.min)) / (input.max - input.min);
  const ends = [part(Math.max(0, input.min)), part(input.value)].sort((a, b) => a - b); // from the middle where that is 0
  input.style.setProperty("--from", `${ends[0]}%`);
  input.style.setProperty("--to", `${ends[1]}%`);
}
