// From the last maps to the answer: pooled or flattened, through the dense layers, to logits, softmax and
// shares, every number of them. Knows nothing of the layers before.

import { el } from "../dom.js";
import { count, figure, times } from "./figures.js";
import { title, whySize } from "./layer_words.js";
import { paint } from "../raster.js";
import { legend, scaleOf } from "./scale.js";
import { t } from "../strings.js";

const FIRST = 10; // classes shown at once
const WIDE = 128; // numbers in a row of a vector's strip

// `answer` as /inside gives it.
export function road(answer, labels, inputOf) {
  const { layers, logits, probabilities } = answer;
  const vectors = layers.filter(({ shape }) => shape.length === 1 || (shape.length === 3 && shape[0] * shape[1] === 1));
  return el("section", { class: "card road", "aria-labelledby": "inside-road" },
    el("h2", { id: "inside-road" }, t("inside.road.title")),
    el("ol", { class: "vectors" }, vectors.map((layer) => el("li", {}, vector(layer, inputOf(layer))))),
    el("h3", {}, t("inside.road.softmax")),
    el("p", { class: "quiet" }, t(logits ? "inside.road.lead" : "inside.road.noLogits")),
    classes(logits, probabilities, labels));
}

function vector(layer, input) {
  const { formula, sentence } = whySize(layer, input);
  return el("div", { class: "vector" },
    el("div", {}, el("b", {}, layer.name), " ", el("span", { class: "quiet" }, `${title(layer)} · ${times(layer.shape)}`)),
    vectorStrip(layer), el("p", { class: "quiet small" }, [formula, sentence].filter(Boolean).join(" – ")));
}

// A vector's numbers as a picture; null where they were too many to send.
export function vectorStrip({ values, zeros, name }) {
  if (!values) return null;
  const colours = scaleOf(values), wide = Math.min(WIDE, values.length), high = Math.ceil(values.length / wide);
  const padded = [...values, ...Array(high * wide - values.length).fill(null)];
  const canvas = paint(el("canvas", {
    class: "pixels vector-strip", role: "img",
    "aria-label": t("inside.road.strip", { name, count: count(values.length), zeros: Math.round(100 * zeros), low: figure(colours.low), high: figure(colours.high) }),
  }), padded, high, wide, (value) => (value === null ? [0, 0, 0, 0] : colours.colour(value)));
  canvas.style.setProperty("width", `min(100%, ${wide * (wide > 64 ? 8 : 14)}px)`);
  const read = el("span", { class: "quiet small", "aria-hidden": "true" });
  canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => {
    const place = Math.floor(offsetY / canvas.clientHeight * high) * wide + Math.floor(offsetX / canvas.clientWidth * wide);
    read.textContent = values[place] === undefined ? "" : `${place}: ${figure(values[place])}`;
  });
  return el("div", {}, canvas, el("div", { class: "row" }, legend(colours), read));
}

// As many digits as keep what is not everything from looking so.
function sharePercent(part) {
  const digits = part < 1 && part > 0.9 ? Math.min(7, Math.ceil(-Math.log10(100 * (1 - part))) + 1) : 0;
  const text = digits > 1 ? (100 * part).toFixed(digits) : figure(100 * part);
  return `${text}\u00a0%`;
}

// logit, e^(logit − max), share.
function classes(logits, probabilities, labels) {
  const order = probabilities.map((_, index) => index).sort((a, b) => probabilities[b] - probabilities[a]);
  const most = logits && Math.max(...logits);
  const powers = logits?.map((logit) => Math.exp(logit - most));
  const body = el("tbody");
  const row = (index) => el("tr", {},
    el("th", { scope: "row" }, labels[index]),
    logits && [el("td", { class: "number" }, figure(logits[index])), el("td", { class: "number" }, figure(powers[index]))],
    el("td", { class: "number" }, sharePercent(probabilities[index])),
    el("td", { class: "part", "aria-hidden": "true" }, el("span", { style: { width: `${100 * probabilities[index]}%` } })));
  const fill = (number) => body.replaceChildren(...order.slice(0, number).map(row));
  fill(FIRST);
  const more = order.length > FIRST && el("button", {
    type: "button", onclick: ({ target }) => { fill(order.length); target.remove(); },
  }, t("inside.road.more", { count: order.length }));
  const head = (key) => el("th", { scope: "col", class: "number" }, t(`inside.road.${key}`));
  return [
    el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": t("inside.road.softmax") },
      el("table", { class: "classes" },
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t("inside.road.class")),
          logits && [head("logit"), head("power")], head("share"), el("td"))),
        body,
        logits && el("tfoot", {}, el("tr", {}, el("th", { scope: "row" }, t("inside.road.sum")), el("td"),
          el("td", { class: "number" }, figure(powers.reduce((a, b) => a + b, 0))), el("td", { class: "number" }, "100\u00a0%"), el("td"))))),
    more,
  ];
}
