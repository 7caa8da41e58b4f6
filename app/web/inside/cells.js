// A plane of numbers drawn as cells, with the zeros added around it, and outlines upon it. Knows nothing
// of what slides over it.

import { paint } from "../raster.js";

const FINE = 40; // cells a side: above that their borders would hide them
const PIXELS = 640; // of the canvas's longer side; CSS shrinks it

// → draw({ outlines, until }): outlines are { y, x, height, width, strong } in cells of the plane (above
// or left of 0 in its added zeros); cells from `until` on are not drawn yet.
export function cellDrawing(canvas, { values, height, width, pads = [0, 0, 0, 0], colour }) {
  const [top, left, bottom, right] = pads.map((pad) => Math.max(pad, 0));
  const rows = height + top + bottom, columns = width + left + right;
  const cell = Math.max(1, Math.round(PIXELS / Math.max(rows, columns)));
  canvas.width = columns * cell;
  canvas.height = rows * cell;
  const plane = paint(document.createElement("canvas"), values, height, width, colour);
  const pen = canvas.getContext("2d");

  function draw({ outlines = [], until = height * width } = {}) {
    const tokens = getComputedStyle(canvas), ink = tokens.getPropertyValue("--cell-line"), accent = tokens.getPropertyValue("--mark");
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(plane, left * cell, top * cell, width * cell, height * cell);
    if (until < height * width) {
      const row = Math.floor(until / width), column = until % width;
      pen.clearRect((left + column) * cell, (top + row) * cell, (width - column) * cell, cell);
      pen.clearRect(left * cell, (top + row + 1) * cell, width * cell, (height - row - 1) * cell);
    }
    if (top + left + bottom + right) zeros(ink);
    if (Math.max(rows, columns) <= FINE) lines(ink);
    for (const outline of outlines) frame(outline, accent);
  }

  // What is added is hatched, and outside the picture's own edge.
  function zeros(ink) {
    pen.save();
    pen.beginPath();
    pen.rect(0, 0, canvas.width, canvas.height);
    pen.rect(left * cell, top * cell, width * cell, height * cell);
    pen.clip("evenodd");
    pen.strokeStyle = ink;
    pen.lineWidth = Math.max(1, cell / 12);
    pen.beginPath();
    for (let x = -canvas.height; x < canvas.width; x += Math.max(cell / 2, 5)) {
      pen.moveTo(x, canvas.height);
      pen.lineTo(x + canvas.height, 0);
    }
    pen.stroke();
    pen.restore();
  }

  function lines(ink) {
    pen.strokeStyle = ink;
    pen.lineWidth = 1;
    pen.beginPath();
    for (let column = 0; column <= columns; column++) {
      pen.moveTo(column * cell, 0);
      pen.lineTo(column * cell, canvas.height);
    }
    for (let row = 0; row <= rows; row++) {
      pen.moveTo(0, row * cell);
      pen.lineTo(canvas.width, row * cell);
    }
    pen.stroke();
  }

  // Dark about bright, so that it is seen on every colour.
  function frame({ y, x, height: high, width: wide, strong = true }, accent) {
    const thick = strong ? Math.min(10, Math.max(5, cell / 6)) : Math.max(2, cell / 14);
    const box = [(x + left) * cell, (y + top) * cell, wide * cell, high * cell];
    if (strong) {
      pen.strokeStyle = "#fff";
      pen.lineWidth = thick + 4;
      pen.strokeRect(...box);
    }
    pen.strokeStyle = accent;
    pen.lineWidth = thick;
    pen.strokeRect(...box);
  }

  return draw;
}

// One channel of numbers that lie row by row, place by place, channel by channel.
export function planeOf(values, [height, width, depth], channel) {
  return Float32Array.from({ length: height * width }, (_, place) => values[place * depth + channel]);
}
