// One channel of a layer: its window slides over the input, and every number of the output can be
// followed to the products it is the sum of. Knows nothing of the other channels.

import { cellDrawing, planeOf } from "./cells.js";
import { el, icon } from "../dom.js";
import { times } from "./figures.js";
import { activationName } from "./layer_words.js";
import { channelChooser, matrices, sentence } from "./products.js";
import { floats } from "../raster.js";
import { legend, scaleOf } from "./scale.js";
import { reach, windowAt } from "./shapes.js";
import { t } from "../strings.js";

const SECONDS = 30; // that the window takes for all places, at least
const PER_SECOND = 10; // places, at least
const still = matchMedia("(prefers-reduced-motion: reduce)");

// `layer` and `reads` (a layer's name or "image") are what stands above the two grids. → element
export function slidingWindow(answer, { layer, reads, signal }) {
  const view = decoded(answer), size = view.kernel ? view.kernel.shape : layer.window;
  const [rows, columns] = view.after.shape, depth = view.input.shape[2], picture = reads === "image";
  let place = firstTelling(view.after.values), until = rows * columns, shown = 0, playing = null;

  const inputCanvas = el("canvas", { class: "grid-canvas", "aria-hidden": "true" });
  const outputCanvas = el("canvas", { class: "grid-canvas", "aria-hidden": "true" });
  const inputLegend = el("div"), numbers = el("div", { class: "numbers" }), chooser = depth > 1 ? channelChooser(depth, choose) : null;
  const says = el("p", { class: "sum", id: "inside-says", role: "status" });
  const output = el("div", {
    class: "output", tabindex: 0, role: "application", "aria-roledescription": t("inside.window.role"),
    "aria-label": t("inside.window.move"), "aria-describedby": "inside-says",
  }, outputCanvas);
  const play = el("button", { type: "button", hidden: still.matches }, icon("play"), el("span", {}, t("inside.window.play")));
  const outputScale = scaleOf(view.after.values);
  const drawOutput = cellDrawing(outputCanvas, { values: view.after.values, height: rows, width: columns, colour: outputScale.colour });
  let drawInput;

  output.addEventListener("keydown", byKey);
  outputCanvas.addEventListener("pointermove", byPointer);
  outputCanvas.addEventListener("pointerdown", byPointer);
  play.addEventListener("click", () => (playing === null ? start() : stop()));
  signal.addEventListener("abort", stop);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw, { signal });
  choose(loudest());
  new ResizeObserver(draw).observe(outputCanvas); // once it is on the page: only there has it colours

  return el("div", { class: size[1] > 3 ? "sliding" : "sliding beside" },
    el("div", { class: "two-grids" },
      el("figure", {},
        el("figcaption", {}, el("b", {}, picture ? t("inside.image") : reads), " ", el("span", { class: "quiet" }, times(view.input.shape.slice(0, 2)))),
        inputCanvas, inputLegend),
      el("figure", {},
        el("figcaption", {}, el("b", {}, t("inside.channel", { channel: answer.channel })), " ", el("span", { class: "quiet" }, times(view.after.shape))),
        output, el("div", {}, legend(outputScale)))),
    says, numbers, el("div", { class: "row" }, play, el("span", { class: "quiet small" }, t("inside.window.hint"))), chooser?.element);

  function choose(channel) {
    shown = channel;
    const values = planeOf(view.input.values, view.input.shape, channel), colours = scaleOf(values, picture);
    drawInput = cellDrawing(inputCanvas, {
      values, height: view.input.shape[0], width: view.input.shape[1], pads: view.pads, colour: colours.colour,
    });
    inputLegend.replaceChildren(legend(colours));
    draw();
  }

  // The input channel that has most to do with the number chosen first.
  function loudest() {
    const { perChannel } = windowAt(view, Math.floor(place / columns), place % columns, 0, size);
    return perChannel.reduce((top, sum, channel) => (Math.abs(sum) > Math.abs(perChannel[top]) ? channel : top), 0);
  }

  function draw() {
    const row = Math.floor(place / columns), column = place % columns;
    const found = windowAt(view, row, column, shown, size);
    const { y, x } = found.cells[0];
    const whole = { y, x, height: reach(size[0], view.dilation[0]), width: reach(size[1], view.dilation[1]) };
    const apart = Math.max(...view.dilation) > 1 ? found.cells.map((cell) => ({ y: cell.y, x: cell.x, height: 1, width: 1, strong: false })) : [];
    drawInput({ outlines: [...apart, whole] });
    drawOutput({ outlines: [{ y: row, x: column, height: 1, width: 1 }], until: playing === null ? rows * columns : until });
    chooser?.show(found.perChannel, shown, playing === null);
    says.textContent = sentence(found, {
      kind: view.kind, row, column, channel: answer.channel, size, depth, bias: view.bias, before: view.before.values[place],
      after: view.after.values[place], activation: view.activation && activationName(view.activation),
    });
    numbers.replaceChildren(matrices(found, { kind: view.kind, size }));
  }

  function moveTo(row, column) {
    stop();
    place = Math.min(Math.max(row, 0), rows - 1) * columns + Math.min(Math.max(column, 0), columns - 1);
    draw();
  }

  function byKey(event) {
    const row = Math.floor(place / columns), column = place % columns;
    const to = {
      ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1], ArrowUp: [row - 1, column], ArrowDown: [row + 1, column],
      Home: [row, 0], End: [row, columns - 1], PageUp: [0, column], PageDown: [rows - 1, column],
    }[event.key];
    if (!to) return;
    event.preventDefault();
    moveTo(...to);
  }

  function byPointer({ clientX, clientY }) {
    const box = outputCanvas.getBoundingClientRect();
    moveTo(Math.floor((clientY - box.top) / box.height * rows), Math.floor((clientX - box.left) / box.width * columns));
  }

  function start() {
    const from = place === rows * columns - 1 ? 0 : place, rate = Math.max(PER_SECOND, rows * columns / SECONDS);
    let began = null;
    const step = (now) => {
      began ??= now;
      place = Math.min(from + Math.floor((now - began) / 1000 * rate), rows * columns - 1);
      until = place + 1;
      draw();
      if (place < rows * columns - 1) playing = requestAnimationFrame(step);
      else stop();
    };
    playing = requestAnimationFrame(step);
    says.setAttribute("aria-live", "off"); // ten sentences a second
    play.replaceChildren(icon("pause"), el("span", {}, t("inside.window.pause")));
  }

  function stop() {
    if (playing === null) return;
    cancelAnimationFrame(playing);
    playing = null;
    says.removeAttribute("aria-live");
    play.replaceChildren(icon("play"), el("span", {}, t("inside.window.play")));
    if (!signal.aborted) draw();
  }
}

function decoded({ input, kernel, before, after, ...rest }) {
  const one = (array) => array && { shape: array.shape, values: floats(array.data) };
  return { ...rest, input: one(input), kernel: one(kernel), before: one(before), after: one(after) };
}

// Where the output is largest: there is something to add up.
function firstTelling(values) {
  let best = 0;
  for (let index = 1; index < values.length; index++) if (values[index] > values[best]) best = index;
  return best;
}
