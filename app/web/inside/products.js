// The numbers under a window: value × weight = product, cell by cell, and what they add up to. Knows
// nothing of where the window is drawn.

import { el } from "../dom.js";
import { figure } from "./figures.js";
import { diverging } from "../raster.js";
import { scaleOf } from "./scale.js";
import { t } from "../strings.js";

const LARGEST = 7; // cells a side that are written out; larger windows get their sum alone

// → the numbers as tables, for the eye and for a screen reader alike.
export function matrices(found, { kind, size }) {
  const tables = Math.max(size[0], size[1]) > LARGEST ? [] : kind === "convolution"
    ? [matrix("values", found, ({ value }) => value, size), sign("×"), matrix("weights", found, ({ weight }) => weight, size), sign("="),
      matrix("products", found, ({ product }) => product, size)]
    : [matrix("values", found, ({ value }) => value, size)];
  return el("div", { class: "matrices" }, tables);
}

function sign(text) {
  return el("span", { class: "sign", "aria-hidden": "true" }, text);
}

function matrix(name, { cells, top }, number, size) {
  const { colour } = scaleOf(cells.map(number)), rows = [];
  for (let row = 0; row < size[0]; row++) {
    rows.push(el("tr", {}, cells.slice(row * size[1], (row + 1) * size[1]).map((cell, column) => {
      const shade = colour(number(cell)), added = !cell.inside && name !== "weights";
      return el("td", {
        class: [added ? "added" : "", row * size[1] + column === top ? "top" : ""].join(" ").trim() || null,
        title: added ? t("inside.window.added") : null,
        style: added ? {} : { background: `rgb(${shade.map(Math.round).join(" ")})`, color: bright(shade) ? "#000" : "#fff" },
      }, figure(number(cell)));
    })));
  }
  return el("table", { class: "matrix" }, el("caption", {}, t(`inside.window.${name}`)), el("tbody", {}, rows));
}

// Which of black and white is read better on it: their contrast is the same at luminance 0.179 (WCAG).
function bright(shade) {
  const [red, green, blue] = shade.map((level) => {
    const part = level / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179;
}

// "Output (4, 7), channel 5 = Σ of 9 products + bias −0.03 = 0.83, after ReLU 0.83"
export function sentence({ total, cells, counted, sum }, { kind, row, column, channel, size, depth, bias, before, after, activation }) {
  const place = t("inside.window.place", { row, column, channel });
  const result = activation ? t("inside.window.after", { activation, after: figure(after) }) : "";
  if (kind === "convolution") {
    const parts = { count: size[0] * size[1] * depth, bias: bias === null ? "" : ` ${t("inside.window.bias", { bias: figure(bias) })}`, total: figure(before) };
    return `${place} ${t(depth > 1 ? "inside.window.sumDeep" : "inside.window.sum", { ...parts, depth, area: size[0] * size[1] })}${result}`;
  }
  const values = { total: figure(total), count: counted, sum: figure(sum ?? 0) };
  return `${place} ${t(`inside.window.${kind}`, values)}${result}`;
}

// Which input channel is drawn: a strip of all their sums to point at, and the same as a list.
export function channelChooser(depth, choose) {
  const canvas = el("canvas", { class: "sums", "aria-hidden": "true" });
  const list = el("select", { onchange: ({ target }) => choose(Number(target.value)) });
  canvas.addEventListener("click", ({ offsetX }) => choose(Math.min(depth - 1, Math.floor(offsetX / canvas.clientWidth * depth))));
  const options = Array.from({ length: depth }, (_, channel) => new Option("", channel));
  list.append(...options);
  const element = el("div", { class: "chooser" },
    el("label", {}, t("inside.window.from"), " ", list), canvas, el("p", { class: "quiet small" }, t("inside.window.fromHint", { depth })));
  return { element, show };

  function show(sums, shown, still) {
    if (still) options.forEach((option, channel) => { option.textContent = t("inside.window.fromOne", { channel, sum: figure(sums[channel]) }); });
    list.value = shown;
    bars(canvas, sums, shown);
  }
}

// Up for what adds, down for what takes away.
function bars(canvas, sums, shown) {
  const high = 72, wide = Math.max(2, Math.floor(640 / sums.length)), strongest = Math.max(...sums.map(Math.abs)) || 1;
  const pen = canvas.getContext("2d"), tokens = getComputedStyle(canvas);
  canvas.width = wide * sums.length;
  canvas.height = high;
  sums.forEach((sum, channel) => {
    const size = Math.max(1, Math.abs(sum) / strongest * (high / 2 - 2));
    if (channel === shown) {
      pen.fillStyle = tokens.getPropertyValue("--accent-soft");
      pen.fillRect(channel * wide, 0, wide, high);
    }
    pen.fillStyle = `rgb(${diverging(sum < 0 ? -1 : 1)})`;
    pen.fillRect(channel * wide + (wide > 4 ? 1 : 0), sum < 0 ? high / 2 : high / 2 - size, wide > 4 ? wide - 2 : wide, size);
  });
}
