// One layer: what it does and why its output is as large as it is, its maps, and of the chosen map the
// sliding window. Knows nothing of the other layers.

import { el, icon } from "../dom.js";
import { count, figure, share, times } from "./figures.js";
import { title, whySize, whyWeights } from "./layer_words.js";
import { address } from "../address.js";
import { mapGrid } from "./maps.js";
import { bytes } from "../raster.js";
import { problemNote } from "../problem.js";
import { vectorStrip } from "./road.js";
import { cellDrawing } from "./cells.js";
import { legend, scale } from "./scale.js";
import { t } from "../strings.js";
import { slidingWindow } from "./window.js";

// Fills `root`. → show({ layer, channel, unknown, signal }): `channel` null is the strongest one; `unknown`
// is the layer's name that the address has and the network has not.
export function layerDetail(root, { ask, best, inputOf }) {
  let now = {}; // what is shown, so that another channel leaves the grid as it is

  return async ({ layer, channel, unknown, signal }) => {
    try {
      if (now.layer !== layer || unknown) await build(layer, unknown, signal);
      if (now.grid && !signal.aborted) await open(channel ?? strongest(now.maps), signal);
    } catch (error) {
      if (signal.aborted) return;
      root.querySelector(".note.fault")?.remove();
      root.append(problemNote(error));
    }
  };

  async function build(layer, unknown, signal) {
    const first = !root.firstChild, follows = !first && !document.activeElement?.closest(".layers");
    const heading = el("h2", { tabindex: -1 }, `${layer.name} `, el("span", { class: "quiet" }, title(layer)));
    const head = el("div", { class: "card" },
      unknown ? el("p", { class: "note doubt" }, icon("unsure"), t("inside.unknown", { name: unknown })) : null,
      heading, story(layer, inputOf(layer)));
    now = {};
    root.replaceChildren(head);
    if (follows) heading.focus({ preventScroll: true });
    if (!first && root.getBoundingClientRect().top < 0) reveal(root, "start");
    const { maps } = layer.shape.length === 3 ? await ask(layer.name) : {};
    if (signal.aborted) return;
    if (!maps) {
      now = { layer };
      head.append(vectorStrip(layer) ?? el("p", { class: "quiet" }, t("inside.tooLong")));
      return;
    }
    const grid = mapGrid(maps, {
      name: layer.name, best, open: (one) => { now.byHand = true; location.hash = address("inside", layer.name, one); },
    });
    const panel = el("section", {
      class: "card panel", "aria-labelledby": "inside-channel", hidden: true,
      onkeydown: ({ key }) => { if (key === "Escape") grid.focus(); },
    });
    now = { layer, maps, grid, panel };
    head.append(grid.element);
    root.append(panel);
  }

  async function open(wanted, signal) {
    const { layer, maps, grid, panel, byHand } = now;
    const channel = wanted >= 0 && wanted < maps.channels ? wanted : strongest(maps);
    now.byHand = false;
    grid.choose(channel);
    const { window: answer } = await ask(layer.name, channel);
    if (signal.aborted) return;
    const focused = byHand || panel.contains(document.activeElement);
    const heading = el("h2", { id: "inside-channel", tabindex: -1 }, t("inside.channelOf", { channel, layer: layer.name }));
    panel.replaceChildren(...[
      heading, facts(maps, channel, best), answer ? slidingWindow(answer, { layer, reads: layer.inputs[0], signal }) : large(maps, channel),
    ].flat().filter(Boolean));
    panel.hidden = false;
    if (focused) heading.focus({ preventScroll: true });
    if (byHand) reveal(panel, "nearest");
  }
}

function reveal(element, block) {
  element.scrollIntoView({ block, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

function strongest({ maxima, channels }) {
  return maxima.slice(0, channels).reduce((top, one, index, all) => (one > all[top] ? index : top), 0);
}

function story(layer, input) {
  const size = whySize(layer, input), weights = whyWeights(layer, input);
  const fact = (name, value, formula) => (value ? el("div", {}, el("dt", {}, t(`inside.column.${name}`)), el("dd", {}, value, formula && el("span", {}, formula))) : null);
  return [
    el("p", { class: "story" }, [size.sentence, weights.sentence].filter(Boolean).join(" ")),
    el("dl", { class: "facts" },
      fact("output", times(layer.shape), size.formula),
      fact("weights", layer.parameters ? count(layer.parameters) : "", weights.formula.split(" = ")[0]),
      fact("multiplyAdds", layer.multiply_adds ? count(layer.multiply_adds) : ""),
      fact("sees", layer.receptive_field ? times(layer.receptive_field) : "")),
  ];
}

function facts({ minima, means, maxima, zeros, contributions }, channel, best) {
  const one = (name, value) => el("div", {}, el("dt", {}, t(`inside.fact.${name}`)), el("dd", {}, value));
  return [
    el("dl", { class: "facts" }, one("min", figure(minima[channel])), one("mean", figure(means[channel])), one("max", figure(maxima[channel])),
      one("zeros", share(zeros[channel])),
      contributions ? el("div", {}, el("dt", {}, t("inside.fact.part", { label: best })), el("dd", {}, figure(contributions[channel]))) : null),
    zeros[channel] === 1 ? el("p", { class: "note" }, t("inside.dead")) : null,
  ];
}

// Where no window can be followed: the map alone.
function large({ shape: [height, width], data, minima, maxima }, channel) {
  const area = height * width;
  if (area === 1) return []; // its number stands above
  const low = minima[channel], step = (maxima[channel] - low) / 255, colours = scale(low, maxima[channel]);
  const canvas = el("canvas", { class: "grid-canvas", "aria-hidden": "true" });
  const all = bytes(data).subarray(channel * area, (channel + 1) * area);
  cellDrawing(canvas, { values: Float32Array.from(all, (q) => low + q * step), height, width, colour: colours.colour })();
  return [el("figure", { class: "alone" }, canvas, legend(colours)), el("p", { class: "quiet small" }, t("inside.noWindow"))];
}
