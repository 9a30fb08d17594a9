/** Colours of the page: as the system has them, or as the visitor chose. */

const KEPT = "speechhead-theme"; // in the browser's storage
const THEMES = { auto: "as the system", light: "light", dark: "dark" };

/** Show the colours chosen before; each click on `button` goes on to the next. */
export function followTheme(button) {
  setTheme(button, localStorage.getItem(KEPT) ?? "auto");
  button.addEventListener("click", () => {
    const names = Object.keys(THEMES);
    setTheme(button, names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length]);
  });
}

function setTheme(button, theme) {
  localStorage.setItem(KEPT, theme);
  document.documentElement.dataset.theme = theme;
  button.setAttribute("aria-label", `Colours: ${THEMES[theme]}`);
  button.title = `Colours: ${THEMES[theme]}`;
}
