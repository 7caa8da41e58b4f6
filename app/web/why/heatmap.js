// A map over the picture that it belongs to: blocks of colour on a canvas, and above them a grid of
// cells for pointer and keyboard (ARIA's grid pattern). Knows nothing of classes or of how the map
// was made.

import { el } from "../dom.js";
import { diverging, overlay, paint } from "../raster.js";

// `seen` is { png, width, height } of the pixels; `map` { values, shape, start, step } in the same
// pixels: cell (i, j) is centred at start + (i, j)·step and as large as a step. `strongest` is the
// value of full colour. `describe(row, column, value)` says a cell in words; `onCell` is told of the
// one under pointer or focus, or of null. Returns { element, show({ mode, opacity }) }, `mode`
// being "picture", "both" or "map".
export function heatmap({ seen, map, strongest, name, describe, onCell }) {
  const [rows, columns] = map.shape;
  const canvas = el("canvas", { class: "pixels", "aria-hidden": "true" });
  const image = el("img", { class: "pixels", src: `data:image/png;base64,${seen.png}`, alt: "" });
  const grid = el("div", {
    class: "cells", role: "grid", "aria-label": name, "aria-rowcount": rows, "aria-colcount": columns,
    style: { "grid-template-columns": `repeat(${columns}, 1fr)` },
  }, Array.from({ length: rows }, (_, row) => el("div", { role: "row" },
    Array.from({ length: columns }, (_, column) => el("span", {
      role: "gridcell", tabindex: row || column ? -1 : 0,
      "aria-label": describe(row, column, map.values[row * columns + column]),
    })))));
  const cells = [...grid.querySelectorAll("span")];
  for (const layer of [canvas, grid]) place(layer, seen, map);
  const element = el("div", { class: "heat", style: { "aspect-ratio": `${seen.width} / ${seen.height}` } }, image, canvas, grid);

  function at(target) {
    const index = cells.indexOf(target);
    onCell(index < 0 ? null : describe(Math.floor(index / columns), index % columns, map.values[index]));
  }

  function go(index) {
    for (const cell of cells) cell.tabIndex = -1;
    cells[index].tabIndex = 0;
    cells[index].focus();
  }

  grid.addEventListener("pointerover", ({ target }) => at(target));
  grid.addEventListener("pointerleave", () => at(grid.contains(document.activeElement) ? document.activeElement : null));
  grid.addEventListener("focusin", ({ target }) => at(target));
  grid.addEventListener("focusout", () => at(null));
  grid.addEventListener("pointerdown", ({ target }) => { if (cells.includes(target)) go(cells.indexOf(target)); });
  grid.addEventListener("keydown", (event) => {
    const index = cells.indexOf(event.target), column = index % columns;
    const next = {
      ArrowRight: column < columns - 1 ? index + 1 : index,
      ArrowLeft: column ? index - 1 : index,
      ArrowDown: Math.min(index + columns, columns * (rows - 1) + column),
      ArrowUp: Math.max(index - columns, column),
      Home: event.ctrlKey ? 0 : index - column,
      End: event.ctrlKey ? cells.length - 1 : index - column + columns - 1,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    go(next);
  });

  function show({ mode, opacity }) {
    const alone = mode === "map";
    image.style.visibility = alone ? "hidden" : "";
    canvas.hidden = mode === "picture";
    canvas.style.opacity = alone ? 1 : opacity;
    const colour = alone ? (value) => diverging(strongest ? value / strongest : 0) : overlay(strongest, 1);
    paint(canvas, map.values, rows, columns, colour);
  }

  return { element, show };
}

// Cells are all of one size, so one box holds them; it may reach over the picture's border.
function place(layer, { width, height }, { shape: [rows, columns], start: [y, x], step: [down, right] }) {
  const share = (part, whole) => `${(100 * part) / whole}%`;
  Object.assign(layer.style, {
    left: share(x - right / 2, width), width: share(right * columns, width),
    top: share(y - down / 2, height), height: share(down * rows, height),
  });
}
