// What went wrong, for people: what to do, and a way on. All views show their errors with it.

import { errorSentence } from "./embed/sentences.js";
import { el, icon } from "./dom.js";

// A note that is read out at once; `more` are elements that help on. The service's own words stand
// below the sentence, since they name the limit that was met.
export function problemNote(error, file, ...more) {
  const detail = error.detail ? el("p", { class: "detail", lang: "en" }, error.detail) : null;
  return el("div", { class: "note fault", role: "alert" }, icon("warning"),
    el("div", {}, el("p", {}, errorSentence(error, { file, host: location.host })), detail, ...more));
}
