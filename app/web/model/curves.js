// Curves of a training: loss, and the share of images that are wrong, by epoch, on scales of powers of
// ten, since both fall a hundredfold. The values at one epoch are text, chosen by slider or pointer;
// all of them are a table too.

import { el } from "../dom.js";
import { fine } from "./score.js";
import { language, t } from "../strings.js";

const SVG = "http://www.w3.org/2000/svg";

// `history` is { loss, accuracy, validation_accuracy or null } of each epoch.
export function curves(history) {
  const last = history.length, number = (value) => new Intl.NumberFormat(language, { maximumSignificantDigits: 3 }).format(value);
  const held = history.every(({ validation_accuracy: one }) => one !== null && one !== undefined);
  const charts = [
    chart("loss", [history.map(({ loss }) => loss)], number),
    chart("wrongShare", [history.map(({ accuracy }) => 1 - accuracy), ...held ? [history.map((row) => 1 - row.validation_accuracy)] : []], (share) => `${number(100 * share)}\u00a0%`),
  ];
  const slider = el("input", { type: "range", min: 1, max: last, step: 1, value: last, oninput: show });
  const words = el("output", {});

  function show() {
    const epoch = Number(slider.value), row = history[epoch - 1];
    words.textContent = t("model.atEpoch", { epoch, of: last, loss: number(row.loss), wrong: fine(1 - row.accuracy) })
      + (held ? ` ${t("model.heldOut", { wrong: fine(1 - row.validation_accuracy) })}` : "");
    slider.setAttribute("aria-valuetext", words.textContent);
    for (const one of charts) one.mark((epoch - 1) / (last - 1));
  }

  for (const { plot } of charts) {
    plot.addEventListener("pointermove", (event) => {
      const { left, width } = plot.getBoundingClientRect();
      slider.value = 1 + Math.round(((event.clientX - left) / width) * (last - 1));
      show();
    });
  }
  show();
  return [
    el("p", { class: "quiet" }, t("model.curvesHow")),
    ...charts.map(({ element }) => element),
    el("label", { class: "epoch" }, t("model.epoch"), slider), words,
    el("details", {}, el("summary", {}, t("model.curvesTable")), el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("model.curvesTable") },
      el("table", {}, el("caption", { class: "unseen" }, t("model.curvesTable")),
        el("thead", {}, el("tr", {}, ["epoch", "loss", "wrongShare", ...held ? ["heldOutWrong"] : []].map((name) => el("th", { scope: "col", class: "number" }, t(`model.${name}`))))),
        el("tbody", {}, history.map((row, index) => el("tr", {}, el("th", { scope: "row", class: "number" }, `${index + 1}`), [number(row.loss), fine(1 - row.accuracy), ...held ? [fine(1 - row.validation_accuracy)] : []].map((text) => el("td", { class: "number" }, text)))))))),
  ];
}

// The lines stretch with the box, their width does not; ticks are text of the page.
function chart(name, lines, format) {
  const positive = lines.flat().filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.min(...positive))), high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive))));
  const down = (value) => (100 * (high - Math.log10(Math.max(value, 10 ** low)))) / (high - low);
  const svg = make("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" });
  const ticks = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (high - index));
  for (const tick of ticks) svg.append(make("line", { x1: 0, x2: 100, y1: down(tick), y2: down(tick), class: "tick" }));
  lines.forEach((line, number) => svg.append(make("polyline", {
    points: line.map((value, index) => `${(100 * index) / (line.length - 1)},${down(value).toFixed(2)}`).join(" "), class: `line line-${number}`,
  })));
  const marker = make("line", { y1: 0, y2: 100, class: "marker" });
  svg.append(marker);
  const plot = el("div", { class: "plot" }, svg);
  return {
    plot,
    mark: (share) => { for (const end of ["x1", "x2"]) marker.setAttribute(end, 100 * share); },
    element: el("figure", { class: "chart" }, el("figcaption", {}, t(`model.${name}`)),
      el("div", { class: "ticks", "aria-hidden": "true" }, ticks.map((tick) => el("span", { style: { top: `${down(tick)}%` } }, format(tick)))), plot),
  };
}

function make(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
