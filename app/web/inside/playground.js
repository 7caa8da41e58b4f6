// A window to try out, along one side: numbers in, numbers out, and which of them meet. Knows nothing of
// the network.

import { el } from "../dom.js";
import { side, sizeFormula } from "./shapes.js";
import { t } from "../strings.js";

const MOST = { n: 512, k: 32, s: 32, d: 16 };
const DRAWN = 40; // numbers a side; more would not fit
const PRESETS = { fits: [28, 3, 1, 1, "valid"], unused: [11, 2, 2, 1, "valid"], oneSided: [32, 3, 2, 1, "same"], dilated: [15, 3, 1, 3, "valid"] };
const NAMES = ["n", "k", "s", "d"];

export function playground() {
  const inputs = Object.fromEntries(NAMES.map((name) => [name, el("input", {
    type: "number", min: 1, max: MOST[name], value: 1, inputmode: "numeric", oninput: draw,
  })]));
  const padding = el("select", { onchange: draw }, ["valid", "same"].map((name) => el("option", { value: name }, t(`inside.play.${name}`))));
  const says = el("div", { role: "status" }), drawing = el("div", { class: "scroll drawing", tabindex: 0, role: "group", "aria-label": t("inside.play.drawing") });
  const element = el("section", { class: "card", "aria-labelledby": "inside-playground" },
    el("h2", { id: "inside-playground" }, t("inside.play.title")),
    el("p", { class: "quiet" }, t("inside.play.lead")),
    el("div", { class: "row" }, Object.entries(PRESETS).map(([name, values]) => el("button", {
      type: "button", onclick: () => set(values),
    }, t(`inside.play.${name}`)))),
    el("div", { class: "fields" }, NAMES.map((name) => el("label", {}, el("span", {}, t(`inside.play.${name}`)), inputs[name])),
      el("label", {}, el("span", {}, t("inside.play.padding")), padding)),
    says, drawing);
  set(PRESETS.unused);
  return element;

  function set([n, k, s, d, border]) {
    [n, k, s, d].forEach((value, index) => { inputs[NAMES[index]].value = value; });
    padding.value = border;
    draw();
  }

  function draw() {
    const [n, k, s, d] = NAMES.map((name) => inputs[name].valueAsNumber);
    const wrong = NAMES.find((name) => !inputs[name].checkValidity() || Number.isNaN(inputs[name].valueAsNumber));
    for (const name of NAMES) inputs[name].ariaInvalid = name === wrong;
    if (wrong) {
      says.replaceChildren(el("p", {}, t("inside.play.wrong", { name: t(`inside.play.${wrong}`), most: MOST[wrong] })));
      drawing.replaceChildren();
      return;
    }
    const one = side({ n, k, s, d, padding: padding.value });
    says.replaceChildren(el("p", { class: "formula" }, one.output ? sizeFormula(one) : "0"), el("p", { class: "quiet" }, sentences(one)));
    drawing.hidden = n + one.before + one.after > DRAWN;
    drawing.replaceChildren(...(drawing.hidden ? [] : [picture(one)]));
  }
}

function sentences({ n, k, s, d, output, before, after, unused }) {
  if (!output) return t("inside.play.none");
  return [
    before + after ? t("inside.play.zeros", { before, after }) : t("inside.why.noZeros"),
    before !== after ? t("inside.play.uneven") : "",
    unused ? t("inside.play.unusedNow", { unused }) : "",
    n + before + after > DRAWN ? t("inside.play.tooWide", { most: DRAWN }) : "",
  ].filter(Boolean).join(" ");
}

// The input above, then a line for each output: where its window lies.
function picture({ n, k, s, d, output, before, after, unused }) {
  const wide = before + n + after;
  const cell = (name, text = "") => el("span", { class: `cell ${name}` }, text);
  const head = Array.from({ length: wide }, (_, place) => {
    const number = place - before;
    if (number < 0 || number >= n) return cell("zero", "0");
    return cell(place >= wide - unused ? "number left-out" : "number", `${number + 1}`);
  });
  const lines = Array.from({ length: output }, (_, index) => {
    const taps = new Set(Array.from({ length: k }, (_, tap) => index * s + tap * d));
    return el("div", { class: "line" }, Array.from({ length: wide }, (_, place) => cell(taps.has(place) ? "tap" : place > index * s && place < index * s + d * (k - 1) ? "between" : "empty")),
      el("span", { class: "out" }, `${index + 1}`));
  });
  return el("div", { "aria-hidden": "true", class: wide > 20 ? "fine" : null }, el("div", { class: "line" }, head), lines);
}
