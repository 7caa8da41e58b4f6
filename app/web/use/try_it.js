// Sends the call for real, and shows what came back: status, headers, JSON. A second button sends what
// is no picture, to show what an error looks like.

import { milliseconds } from "../embed/numbers.js";
import { button, el } from "../dom.js";
import { call } from "../key.js";
import { problemNote } from "../problem.js";
import { HOME } from "../snippets.js";
import { shared } from "../state.js";
import { t } from "../strings.js";

const HEADERS = ["Content-Type", "X-Request-ID", "Server-Timing", "Retry-After"];

export function tryIt(picture, signal) {
  const result = el("div", { class: "result" });
  const said = el("p", { class: "unseen", role: "status" });
  let sending = new AbortController();

  async function send(blob, name) {
    const body = new FormData();
    body.append("file", blob, name);
    sending.abort();
    sending = new AbortController();
    const mine = AbortSignal.any([signal, sending.signal]);
    const began = performance.now();
    try {
      const response = await call(`${HOME}predict?model=${encodeURIComponent(shared.model.name)}`, { method: "POST", body, signal: mine });
      const text = await response.text(), time = milliseconds(performance.now() - began);
      said.textContent = t("use.answered", { status: response.status, time });
      result.replaceChildren(
        el("p", {}, el("strong", { class: response.ok ? "good" : "bad" }, `HTTP ${response.status}`), " ", el("span", { class: "quiet" }, time)),
        el("dl", { class: "headers" }, HEADERS.filter((header) => response.headers.has(header)).map((header) => el("div", {}, el("dt", {}, header), el("dd", { class: "mono" }, response.headers.get(header))))),
        el("div", { class: "code", role: "region", "aria-label": t("use.body"), tabindex: 0 }, el("pre", {}, el("code", {}, pretty(text)))));
    } catch {
      if (!mine.aborted) result.replaceChildren(problemNote({ code: "unreachable" }));
    }
  }

  return el("div", {},
    el("div", { class: "row" },
      button("play", t("use.send", { name: picture.name }), () => send(picture.blob, picture.name), { class: "main-button" }),
      button("warning", t("use.sendText"), () => send(new Blob(["This is no picture."]), "text.png"))),
    result, said);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
