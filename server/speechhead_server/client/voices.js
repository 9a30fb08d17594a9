/** The list of voices. */

/** Fill `select` after its first entry, in groups by language. */
export function fillVoices(select, voices) {
  const groups = new Map();
  for (const { name, gender, language } of voices) {
    if (!groups.has(language)) groups.set(language, Object.assign(document.createElement("optgroup"), { label: languageName(language) }));
    groups.get(language).append(new Option(gender ? `${name} (${gender})` : name, name));
  }
  select.replaceChildren(select.options[0], ...groups.values());
}

function languageName(code) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(code.replace("_", "-")) ?? code;
  } catch {
    return code;
  }
}
