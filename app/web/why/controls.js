// What a person can choose in "Why this answer": the class, one beside it, and how the map lies over
// the picture. All of it native controls.

import { percent } from "../embed/numbers.js";
import { el } from "../dom.js";
import { t } from "../strings.js";

const FEW = 12; // classes that are all in sight; more go into a list

// Predictions, most probable first; `choose(label)` is told.
export function classChooser(predictions, chosen, choose) {
  if (predictions.length > FEW) {
    return el("label", { class: "field" }, t("why.class"), options(predictions, chosen, choose));
  }
  return el("fieldset", { class: "classes" }, el("legend", { class: "unseen" }, t("why.class")),
    predictions.map(({ label, probability }) => el("label", {},
      el("input", { type: "radio", name: "why-class", value: label, checked: label === chosen, onchange: () => choose(label) }),
      el("span", { class: "name" }, label), el("span", { class: "share" }, percent(probability)),
      el("i", { "aria-hidden": "true", style: { width: `${100 * probability}%` } }))));
}

export function compareChooser(predictions, choose) {
  return el("label", { class: "field" }, t("why.beside"), options(predictions, "", choose, new Option(t("why.none"), "")));
}

function options(predictions, chosen, choose, ...first) {
  return el("select", { onchange: ({ target }) => choose(target.value) }, first, predictions.map(({ label, probability }) => {
    const option = new Option(`${label}  ${percent(probability)}`, label);
    option.selected = label === chosen;
    return option;
  }));
}

// Changes `look` ({ mode, opacity }) and says so.
export function lookControls(look, changed) {
  const slider = el("input", {
    type: "range", min: 0, max: 100, step: 5, value: Math.round(100 * look.opacity), disabled: look.mode !== "both",
    oninput: ({ target }) => { look.opacity = target.value / 100; changed(); },
  });
  return el("div", { class: "look" },
    el("fieldset", { class: "segments" }, el("legend", { class: "unseen" }, t("why.show")), ["picture", "both", "map"].map((mode) => el("label", {},
      el("input", { type: "radio", name: "why-mode", checked: mode === look.mode, onchange: () => {
        look.mode = mode;
        slider.disabled = mode !== "both";
        changed();
      } }),
      el("span", {}, t(`why.mode.${mode}`))))),
    el("label", { class: "opacity" }, t("why.opacity"), slider));
}
