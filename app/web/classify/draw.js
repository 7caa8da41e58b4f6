// Paper to draw a digit on. Knows nothing of networks: the drawing leaves as a PNG, like any picture.

import { t } from "../strings.js";
import { button, el } from "../dom.js";

const SIDE = 448; // pixels
const BRUSH = SIDE / 14; // as thick as MNIST's strokes are in its 20 × 20 box
const REST_MILLISECONDS = 150; // after the pen is lifted: a 4 has two strokes

// An element with the paper; calls drawn(File) when the pen rests, cleared() when the paper is blank.
export function paper(drawn, cleared, signal) {
  const canvas = el("canvas", { width: SIDE, height: SIDE, role: "img", "aria-label": t("classify.paper") });
  const context = canvas.getContext("2d", { alpha: false });
  let strokes = [], stroke = null, rest = 0;
  signal.addEventListener("abort", () => clearTimeout(rest));

  function redraw() {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, SIDE, SIDE);
    Object.assign(context, { lineWidth: BRUSH, lineCap: "round", lineJoin: "round", strokeStyle: "#10131a" });
    for (const points of strokes) {
      context.beginPath();
      context.moveTo(...points[0]);
      if (points.length === 1) context.lineTo(points[0][0] + 0.1, points[0][1]);
      // Through the middles between two points: a curve without corners.
      for (let i = 1; i < points.length; i++) {
        const [x, y] = points[i - 1], [u, v] = points[i];
        context.quadraticCurveTo(x, y, (x + u) / 2, (y + v) / 2);
      }
      context.lineTo(...points.at(-1));
      context.stroke();
    }
  }

  function send() {
    clearTimeout(rest);
    if (!strokes.length) return cleared();
    canvas.toBlob((blob) => drawn(new File([blob], "drawing.png", { type: "image/png" })), "image/png");
  }

  function change(next) {
    strokes = next;
    redraw();
    send();
  }

  const point = ({ clientX, clientY }) => {
    const { left, top, width } = canvas.getBoundingClientRect();
    return [((clientX - left) * SIDE) / width, ((clientY - top) * SIDE) / width];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    clearTimeout(rest);
    stroke = [point(event)];
    strokes = [...strokes, stroke];
    redraw();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!stroke) return;
    // A fast pen makes several points between two frames.
    const events = event.getCoalescedEvents?.() ?? [];
    stroke.push(...(events.length ? events : [event]).map(point));
    redraw();
  });
  for (const type of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(type, () => {
      if (!stroke) return;
      stroke = null;
      rest = setTimeout(send, REST_MILLISECONDS);
    });
  }
  redraw();
  return el("div", { class: "paper" }, canvas,
    el("div", { class: "row" },
      button("undo", t("classify.undo"), () => change(strokes.slice(0, -1))),
      button("clear", t("common.clear"), () => change([]))));
}
