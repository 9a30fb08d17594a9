/** What visitors do with the page as a whole: files that they drop on it, and the whole screen for the avatar. */

/** @param {(file: File) => void} take is given each file that is dropped anywhere */
export function takeDrops(take) {
  for (const name of ["dragover", "drop"]) {
    document.addEventListener(name, (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      const file = event.dataTransfer.files[0];
      if (name === "drop" && file) take(file);
    });
  }
}

/** A button that shows an element on the whole screen, and all again; gone where that is not possible. */
export function fillScreen(button, element) {
  button.addEventListener("click", () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else element.requestFullscreen?.().catch(() => {});
  });
  button.hidden = !document.fullscreenEnabled;
}
