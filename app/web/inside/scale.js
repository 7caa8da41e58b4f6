// Which colour a number of a map has, and the legend that says so. Knows nothing of layers.

import { el } from "../dom.js";
import { figure } from "./figures.js";
import { cividis, diverging, grey, paint } from "../raster.js";

// From 0 to the largest in cividis where no number is below 0 (a picture in grey), else blue through
// white (0) to orange, as far down as up. → { low, high, colour(value) }
export function scale(minimum, maximum, picture = false) {
  if (minimum >= 0) {
    const high = maximum || 1, ramp = picture ? grey : cividis;
    return { low: 0, high: maximum, colour: (value) => ramp(value / high) };
  }
  const high = Math.max(-minimum, maximum);
  return { low: -high, high, colour: (value) => diverging(value / high) };
}

export function scaleOf(values, picture) {
  let minimum = Infinity, maximum = -Infinity;
  for (const value of values) {
    if (value < minimum) minimum = value;
    if (value > maximum) maximum = value;
  }
  return scale(minimum, maximum, picture);
}

export function legend({ low, high, colour }) {
  const steps = Float32Array.from({ length: 64 }, (_, index) => low + ((high || 1) - low) * index / 63);
  const ramp = paint(el("canvas", { class: "pixels", "aria-hidden": "true" }), steps, 1, 64, colour);
  return el("span", { class: "legend" }, figure(low), ramp, figure(high));
}
