// The ways in which files come to the page: chosen, dropped anywhere, pasted anywhere, photographed.
// Knows nothing of what is done with them.

import { t } from "../strings.js";
import { el, icon } from "../dom.js";

// HEIC is left out: an iPhone then hands over a JPEG.
const ACCEPTED = "image/jpeg,image/png,image/webp,image/gif,image/bmp,image/avif";

// A label that opens the file chooser; the input itself is there for keyboard and screen reader.
// `properties` may ask for several files, or for a phone's camera (capture: "environment").
export function chooser(name, text, take, properties = {}) {
  const input = el("input", { type: "file", class: "unseen", accept: ACCEPTED, ...properties });
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = ""; // the same file may be chosen again
  });
  return el("label", { class: "button" }, icon(name), el("span", {}, text), input);
}

// Calls take(files) for whatever is dropped or pasted on the page; `over(true)` while files hang above.
export function listen(signal, take, over) {
  const files = (transfer) => [...(transfer?.files ?? [])];
  const isText = (target) => target.matches?.("input:not([type=file]), textarea, [contenteditable]");
  document.addEventListener("paste", (event) => {
    if (!isText(event.target) && files(event.clipboardData).length) take(files(event.clipboardData));
  }, { signal });
  for (const type of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(type, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      over(type === "dragover");
      if (type === "drop") take(files(event.dataTransfer));
    }, { signal });
  }
}

// A button where the browser lets pages read the clipboard; the keys work everywhere.
export function paster(take, fail) {
  if (!navigator.clipboard?.read) return null;
  return el("button", { type: "button", onclick: async () => {
    try {
      for (const item of await navigator.clipboard.read()) {
        const type = item.types.find((one) => one.startsWith("image/"));
        if (type) return take([new File([await item.getType(type)], `pasted.${type.split("/")[1]}`, { type })]);
      }
      fail(t("classify.nothingToPaste"));
    } catch { // the person said no
      fail(t("classify.pasteRefused"));
    }
  } }, icon("paste"), el("span", {}, t("classify.paste")));
}
