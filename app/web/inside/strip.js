// The network from its picture to its answer: a link per layer, each with a stack of plates as large as
// its maps are beside the picture, on which its strongest maps are painted when they are known.
// Knows nothing of how a layer is shown in detail.

import { el } from "../dom.js";
import { times } from "./figures.js";
import { title } from "./layer_words.js";
import { bytes, paint } from "../raster.js";
import { scale, scaleOf } from "./scale.js";
import { t } from "../strings.js";

const SIDE = 44; // pixels of the largest plate
const PAINTED = 1 << 17; // numbers: maps that are more are not fetched only to be painted small

// → { element, choose(name) }. `maps(name)` fetches a layer's maps (null for vectors), one layer at a time.
export function strip({ layers, picture, image, link, maps, signal }) {
  const links = new Map(), plain = new Map(); // by the name of their layer; by their link
  let turn = Promise.resolve(); // one layer at a time, and each only once it is near the screen
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      // Decoration: what keeps it from coming is told where it matters.
      turn = turn.then(() => plain.get(target)()).catch(() => {});
    }
  }, { rootMargin: "200px" });
  signal.addEventListener("abort", () => seen.disconnect());

  const tallest = Math.max(image[0], image[1]);
  const items = layers.map((layer, index) => {
    const plates = layer.shape.length === 3 ? stack(layer, tallest) : [line(layer)];
    const anchor = el("a", { href: link(layer) },
      el("span", { class: "stack", "aria-hidden": "true" }, plates),
      el("span", { class: "layer-name" }, el("b", {}, layer.name), el("span", {}, title(layer)),
        branch(layer, layers.slice(0, index).findLast(({ inputs }) => inputs.length)), el("span", { class: "chip" }, times(layer.shape))));
    links.set(layer.name, anchor);
    if (layer.shape.length === 3 && layer.shape.reduce((a, b) => a * b) <= PAINTED) {
      plain.set(anchor, async () => paintPlates(plates, signal.aborted ? null : await maps(layer.name)));
      seen.observe(anchor);
    }
    return el("li", {}, anchor);
  });
  const element = el("nav", { class: "layers card", "aria-label": t("inside.strip") },
    el("ol", {},
      el("li", { class: "input" }, el("span", { class: "stack" }, el("img", { src: picture.url, alt: "" })),
        el("span", { class: "layer-name" }, el("b", {}, t("inside.image")), el("span", { class: "chip" }, times(image)))),
      items));
  return { element, choose };

  function choose(name) {
    for (const [one, anchor] of links) {
      if (one === name) anchor.setAttribute("aria-current", "true");
      else anchor.removeAttribute("aria-current");
    }
    // Into view inside the strip alone: the page itself stays where it is.
    const list = element.firstElementChild, { offsetTop, offsetLeft } = links.get(name).parentElement;
    list.scrollTo({ top: offsetTop - list.clientHeight / 3, left: offsetLeft - list.clientWidth / 4 });
  }
}

// A branch joins or leaves here: what the layer reads is not just the one before it. One that was taken
// into another's weights reads nothing.
function branch({ inputs }, previous) {
  if (!inputs.length) return null;
  if (inputs.length < 2 && (inputs[0] === previous?.name || !previous)) return null;
  return el("span", { class: "reads" }, t("inside.reads", { names: inputs.join(" + ") }));
}

function stack({ shape: [height, width, channels] }, tallest) {
  const number = Math.min(5, 1 + Math.ceil(Math.log2(channels) / 2));
  return Array.from({ length: number }, (_, index) => el("canvas", {
    class: "pixels", width: 1, height: 1,
    style: {
      width: `${side(width, tallest)}px`, height: `${side(height, tallest)}px`,
      "inset-inline-start": `${(number - 1 - index) * 4}px`, top: `${(number - 1 - index) * 4}px`,
    },
  })).reverse();
}

// Roots, so that 7 of 224 still is a plate and not a dot.
function side(size, tallest) {
  return Math.max(6, Math.round(SIDE * Math.sqrt(size / tallest)));
}

function line({ values, shape }) {
  const canvas = el("canvas", { class: "pixels line", width: 1, height: 1 });
  if (!values) return canvas;
  const shown = values.slice(0, 64);
  return paint(canvas, shown, 1, Math.min(shape[0], 64), scaleOf(values).colour);
}

function paintPlates(plates, maps) {
  if (!maps) return;
  const { shape: [height, width], data, channels, minima, maxima } = maps, all = bytes(data);
  const strongest = Array.from({ length: channels }, (_, index) => index).sort((a, b) => maxima[b] - maxima[a]);
  plates.toReversed().forEach((canvas, index) => {
    const channel = strongest[index] ?? 0, area = height * width;
    const { colour } = scale(minima[channel], maxima[channel]);
    const step = (maxima[channel] - minima[channel]) / 255;
    paint(canvas, all.subarray(channel * area, (channel + 1) * area), height, width, (q) => colour(minima[channel] + q * step));
  });
}
