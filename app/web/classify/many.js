// Many pictures: a table that fills as the answers come, to be stopped, and kept as CSV or JSON.

import { milliseconds, percent } from "../embed/numbers.js";
import { errorSentence } from "../embed/sentences.js";
import { button, el } from "../dom.js";
import { client, shared } from "../state.js";
import { t } from "../strings.js";

// An element that classifies these files, two at a time; choose(file) when one is picked.
export function manyPanel(files, choose, signal) {
  const stop = new AbortController();
  const done = []; // { file, answer } or { file, error }, in the order of the files
  const rows = files.map((file) => line(file, choose, signal));
  const status = el("p", { role: "status" });
  const halt = button("stop", t("classify.stop"), () => stop.abort());
  const keep = [
    button("download", "CSV", () => save("predictions.csv", "text/csv", csv(done.filter(Boolean)))),
    button("download", "JSON", () => save("predictions.json", "application/json", json(done.filter(Boolean)))),
  ];
  for (const one of keep) one.hidden = true;

  function count() {
    const answered = done.filter(Boolean), failed = answered.filter(({ error }) => error).length;
    status.textContent = t(failed ? "classify.manyFailed" : "classify.many", { done: answered.length, of: files.length, failed });
  }

  count();
  client.predictMany(files, {
    model: shared.model.name,
    signal: AbortSignal.any([signal, stop.signal]),
    onProgress({ index, file, answer, error }) {
      done[index] = { file, answer, error };
      fill(rows[index], done[index]);
      count();
    },
  }).catch(() => {}).finally(() => { // it was stopped: what has been answered stays
    halt.hidden = true;
    for (const one of keep) one.hidden = !done.some(Boolean);
  });
  return el("div", { class: "card many" },
    el("div", { class: "row" }, el("h2", { id: "many-title" }, t("classify.manyTitle", { n: files.length })), status, halt, keep),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": "many-title" }, el("table", {},
      el("thead", {}, el("tr", {}, ["picture", "file", "answer", "share", "time"].map((name) =>
        el("th", { scope: "col", class: name === "share" || name === "time" ? "number" : null }, t(`classify.column.${name}`))))),
      el("tbody", {}, rows))));
}

function line(file, choose, signal) {
  const url = URL.createObjectURL(file);
  signal.addEventListener("abort", () => URL.revokeObjectURL(url));
  const image = el("img", { src: url, alt: "", width: 40, height: 40, onerror: () => { image.hidden = true; } });
  return el("tr", {},
    el("td", {}, el("button", { type: "button", class: "thumbnail", "aria-label": t("classify.show", { name: file.name }), onclick: () => choose(file) }, image)),
    el("td", { class: "name" }, file.name), el("td"), el("td", { class: "number" }), el("td", { class: "number" }));
}

function fill(row, { file, answer, error }) {
  const [, , label, share, time] = row.children;
  if (error) {
    label.append(el("span", { class: "fault" }, errorSentence(error, { file, host: location.host })));
    return;
  }
  const [best] = answer.predictions;
  label.textContent = best.label;
  share.textContent = percent(best.probability);
  time.textContent = milliseconds(answer.milliseconds.total);
}

// RFC 4180. A cell that a spreadsheet would take for a formula gets a quote before it (OWASP).
function csv(done) {
  const cell = (text) => `"${String(text).replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`;
  const rows = done.map(({ file, answer, error }) => (error
    ? [file.name, "", "", error.code]
    : [file.name, answer.predictions[0].label, answer.predictions[0].probability, ""]));
  return `${[["file", "label", "probability", "error"], ...rows].map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
}

function json(done) {
  return JSON.stringify(done.map(({ file, answer, error }) => (error
    ? { file: file.name, error: error.code }
    : { file: file.name, model: answer.model, version: answer.version, predictions: answer.predictions })), null, 2);
}

function save(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  el("a", { href: url, download: name }).click();
  setTimeout(URL.revokeObjectURL, 1000, url);
}
