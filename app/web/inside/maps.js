// Every channel of a layer as a picture, in a grid for pointer and keyboard (the grid pattern of the
// ARIA Authoring Practices). Knows nothing of what happens when one is opened.

import { el } from "../dom.js";
import { figure, share } from "./figures.js";
import { bytes, floats, paint } from "../raster.js";
import { legend, scale, scaleOf } from "./scale.js";
import { t } from "../strings.js";

const FIRST = 64; // channels shown at once; the rest when they are asked for
const FINEST = 72; // pixels a side: finer than it is drawn, a map is thinned out
const choices = { order: "index", scale: "map" }; // stay while one goes from layer to layer

// `open(channel)`: the person wants to see that one. → { element, choose(channel), focus() }
export function mapGrid(maps, { name, best, open }) {
  const { shape: [height, width], channels, minima, maxima, means, zeros, contributions, kernels } = maps;
  const all = bytes(maps.data), area = height * width;
  const layerScale = scale(Math.min(...minima), Math.max(...maxima));
  const grid = el("div", { class: "maps", role: "grid", "aria-label": t("inside.maps.grid", { layer: name }) });
  const foot = el("div", { class: "row quiet maps-foot" });
  const more = el("button", { type: "button" }, t("inside.maps.more", { count: channels }));
  let chosen = null, cells = [], columns = 1, wanted = FIRST;

  const orders = {
    index: () => 0,
    strongest: (a, b) => maxima[b] - maxima[a],
    part: (a, b) => contributions[b] - contributions[a],
  };
  const order = choices.order === "part" && !contributions ? "index" : choices.order;

  const pick = (what, names, value, disabled) => el("label", {}, el("span", {}, t(`inside.maps.${what}`)), " ",
    el("select", { onchange: ({ target }) => { choices[what] = target.value; draw(); } },
      names.map((one) => el("option", { value: one, selected: one === value, disabled: disabled === one }, t(`inside.maps.${what}.${one}`)))));
  const bar = el("div", { class: "row maps-bar" },
    pick("order", Object.keys(orders), order, contributions ? null : "part"), pick("scale", ["map", "layer"], choices.scale));
  const element = el("div", {}, bar, grid, foot,
    contributions ? null : el("p", { class: "quiet small" }, t("inside.maps.noPart")));

  more.addEventListener("click", () => { wanted = channels; draw(); cells[FIRST].focus(); });
  grid.addEventListener("keydown", move);
  new ResizeObserver(arrange).observe(grid);
  draw();
  return { element, choose, focus: () => current()?.focus() };

  function draw() {
    const by = orders[choices.order === "part" && !contributions ? "index" : choices.order];
    const shown = Array.from({ length: channels }, (_, index) => index).sort(by).slice(0, wanted);
    cells = shown.map(cell);
    columns = 0;
    arrange();
    choose(chosen ?? shown[0]);
    foot.replaceChildren(...[
      choices.scale === "layer" || area === 1 ? legend(layerScale) : el("span", { class: "small" }, t("inside.maps.own")),
      wanted < channels ? more : null,
    ].filter(Boolean));
  }

  function cell(channel) {
    const own = scale(minima[channel], maxima[channel]);
    const { colour } = choices.scale === "layer" || area === 1 ? layerScale : own;
    const step = (maxima[channel] - minima[channel]) / 255;
    const lut = Array.from({ length: 256 }, (_, q) => colour(minima[channel] + q * step));
    const [thin, high, wide] = thinned(all.subarray(channel * area, (channel + 1) * area));
    const map = paint(el("canvas", { class: "pixels", "aria-hidden": "true" }), thin, high, wide, (q) => lut[q]);
    const words = t("inside.maps.cell", {
      channel, mean: figure(means[channel]), max: figure(maxima[channel]), zeros: share(zeros[channel]),
    });
    const part = contributions ? t("inside.maps.part", { label: best, part: figure(contributions[channel]) }) : "";
    return el("div", {
      role: "gridcell", tabindex: -1, "data-channel": channel, "aria-label": `${words}${part && `. ${part}`}`, title: words,
      class: zeros[channel] === 1 ? "dead" : null, onclick: () => open(channel),
    }, map, el("span", { class: "under", "aria-hidden": "true" }, kernelPicture(channel),
      choices.order === "part" && contributions ? signed(contributions[channel]) : `${channel}`));
  }

  function thinned(values) {
    const step = Math.ceil(Math.max(height, width) / FINEST);
    if (step === 1) return [values, height, width];
    const high = Math.ceil(height / step), wide = Math.ceil(width / step);
    const thin = new Uint8Array(high * wide);
    for (let index = 0; index < thin.length; index++) {
      thin[index] = values[Math.floor(index / wide) * step * width + (index % wide) * step];
    }
    return [thin, high, wide];
  }

  function kernelPicture(channel) {
    if (!kernels || kernels.shape[0] <= channel || ![1, 3].includes(kernels.shape[3])) return null;
    const [, high, wide, deep] = kernels.shape, size = high * wide * deep;
    if (high * wide === 1) return null;
    kernels.values ??= floats(kernels.data);
    const values = kernels.values.subarray(channel * size, (channel + 1) * size);
    return kernelCanvas(values, high, wide, deep);
  }

  // Rows as the eye sees them: the columns are what fits.
  function arrange() {
    const fits = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
    if (!grid.isConnected && columns) return;
    if (fits === columns && grid.childElementCount) return;
    columns = fits;
    const focused = cells.find((one) => one === document.activeElement);
    const rows = [];
    for (let start = 0; start < cells.length; start += columns) rows.push(el("div", { role: "row" }, cells.slice(start, start + columns)));
    grid.replaceChildren(...rows);
    focused?.focus();
  }

  function current() {
    return cells.find((one) => one.tabIndex === 0);
  }

  function choose(channel) {
    chosen = channel;
    for (const one of cells) {
      const is = Number(one.dataset.channel) === channel;
      one.setAttribute("aria-selected", is);
      one.tabIndex = is ? 0 : -1;
    }
    if (!current() && cells[0]) cells[0].tabIndex = 0;
  }

  function move(event) {
    const at = cells.indexOf(event.target.closest("[role=gridcell]"));
    const row = at - (at % columns);
    const to = {
      ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns,
      Home: event.ctrlKey ? 0 : row, End: event.ctrlKey ? cells.length - 1 : Math.min(row + columns, cells.length) - 1,
    }[event.key];
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      open(Number(cells[at].dataset.channel));
    } else if (to !== undefined) {
      event.preventDefault();
      if (!cells[to]) return;
      for (const one of cells) one.tabIndex = -1;
      cells[to].tabIndex = 0;
      cells[to].focus();
    }
  }
}

function signed(number) {
  return number > 0 ? `+${figure(number)}` : figure(number);
}

// One channel: blue–white–orange about 0. Three: as the colours it looks for, about grey.
function kernelCanvas(values, height, width, depth) {
  const canvas = el("canvas", { class: "pixels kernel", "aria-hidden": "true" });
  if (depth === 1) return paint(canvas, values, height, width, scaleOf([...values, -1e-9]).colour);
  const strongest = Math.max(...values.map(Math.abs)) || 1;
  const places = Float32Array.from({ length: height * width }, (_, index) => index);
  return paint(canvas, places, height, width, (place) => (
    [0, 1, 2].map((one) => 127.5 + 127.5 * values[place * depth + one] / strongest)));
}
