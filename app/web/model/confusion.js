// Which classes a network takes for which, as a table whose colour shows where to look.

import { thousands } from "../embed/numbers.js";
import { el } from "../dom.js";
import { t } from "../strings.js";

const MOST_CLASSES = 30; // beyond, a table says less than the list of the worst pairs
const PAIRS = 5;

export function confusionCard({ confusion, labels }) {
  const pairs = confusion.flatMap((row, truth) => row.map((count, answer) => ({ count, truth, answer })))
    .filter(({ count, truth, answer }) => count && truth !== answer).sort((one, other) => other.count - one.count);
  const fits = labels.length <= MOST_CLASSES;
  return el("section", { class: "card wide", "aria-labelledby": "confusion-title" },
    el("h2", { id: "confusion-title" }, t("model.confusion")),
    el("p", { class: "quiet" }, t(fits ? "model.confusionHow" : "model.confusionMany")),
    el("div", { class: "confusion" }, fits && table(confusion, labels, pairs[0]?.count ?? 0),
      pairs.length > 0 && el("div", {}, el("h3", {}, t("model.pairs")),
        el("ol", { class: "pairs" }, pairs.slice(0, fits ? PAIRS : 4 * PAIRS).map(({ count, truth, answer }) => el("li", {}, t("model.pair", { truth: labels[truth], answer: labels[answer], n: thousands(count) })))))));
}

function table(counts, labels, most) {
  const strength = (count) => (count ? 0.08 + (0.42 * count) / most : 0); // a single one is to be seen too
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("model.matrixCaption") },
    el("table", { class: "matrix" }, el("caption", {}, t("model.matrixCaption")),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t("model.corner")), labels.map((label) => el("th", { scope: "col", class: "number" }, label)))),
      el("tbody", {}, counts.map((row, truth) => el("tr", {}, el("th", { scope: "row" }, labels[truth]), row.map((count, answer) => (
        truth === answer ? el("td", { class: "number same" }, thousands(count))
          : el("td", { class: count ? "number" : "number none", style: { "background-color": `rgb(217 95 2 / ${strength(count)})` } }, thousands(count)))))))));
}
