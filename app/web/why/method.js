// How a map was found: the method in words, what it cost, and for exact ones the sum, which anyone can
// check. Knows nothing of the picture.

import { milliseconds, thousands } from "../embed/numbers.js";
import { el, icon } from "../dom.js";
import { language, t } from "../strings.js";

const AGREE = 1e-3; // share of the score: float32, summed in another order

// +0.42, −12.3
export function signed(value, digits = { maximumSignificantDigits: 3 }) {
  return new Intl.NumberFormat(language, { ...digits, signDisplay: "exceptZero" }).format(value).replace("-", "−");
}

const added = (value) => signed(value, { minimumFractionDigits: 2, maximumFractionDigits: 2 });

// `all` are answers of POST /explain by one method; `choose(method)` is told of another.
export function methodCard(all, choose) {
  const [{ method, methods, layer }] = all;
  const passes = all.reduce((sum, one) => sum + one.passes, 0), time = all.reduce((sum, one) => sum + one.milliseconds, 0);
  return [
    el("h2", { id: "how-title" }, t("why.how")),
    el("fieldset", { class: "segments" }, el("legend", { class: "unseen" }, t("why.method")), methods.map((name) => el("label", {},
      el("input", { type: "radio", name: "why-method", checked: name === method, onchange: () => choose(name) }), el("span", {}, t(`why.method.${name}`))))),
    el("p", {}, t(`why.about.${method}`)),
    el("p", { class: "quiet cost" }, t(passes === 0 ? "why.costNone" : "why.cost", { passes: thousands(passes), time: milliseconds(time) }), layer && ` ${t("why.layer", { layer })}`),
    ...all.map(sum),
  ];
}

// Does the map add up to the score? Said with the numbers, and in colour and words if it does not.
function sum({ exact, label, map, rest, logit }) {
  if (!exact) return el("p", { class: "quiet" }, t("why.inexact"));
  const total = map.values.reduce((before, value) => before + value, 0);
  const agrees = Math.abs(total + rest - logit) <= AGREE * Math.max(1, Math.abs(logit));
  const row = (value, name) => el("tr", {}, el("td", { class: "number" }, value), el("th", { scope: "row" }, name));
  return el("div", {},
    el("table", { class: "sum" }, el("caption", { class: "unseen" }, t("why.sum", { label })),
      el("tbody", {}, row(added(total), t("why.sumMap")), row(added(rest), t("why.sumRest")), row(added(total + rest), t("why.sumScore", { label })))),
    el("p", { class: agrees ? "note" : "note fault" }, icon(agrees ? "check" : "warning"),
      el("span", {}, t(agrees ? "why.agrees" : "why.differs", { logit: added(logit), label }))));
}

// The map as numbers; made when it is opened.
export function valueTable({ label, map: { shape: [rows, columns], values } }) {
  const box = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("why.table", { label }) });
  const format = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
  return el("details", { ontoggle: () => {
    if (box.firstChild) return;
    box.append(el("table", {}, el("caption", { class: "unseen" }, t("why.table", { label })),
      el("thead", {}, el("tr", {}, el("td", {}), Array.from({ length: columns }, (_, column) => el("th", { scope: "col", class: "number" }, `${column + 1}`)))),
      el("tbody", {}, Array.from({ length: rows }, (_, row) => el("tr", {}, el("th", { scope: "row" }, `${row + 1}`),
        Array.from({ length: columns }, (_, column) => el("td", { class: "number" }, format.format(values[row * columns + column]).replace("-", "−"))))))));
  } }, el("summary", {}, t("why.table", { label })), box);
}
