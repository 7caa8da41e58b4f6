// How good a network is, in words and numbers that say what they mean. Knows nothing of training.

import { thousands } from "../embed/numbers.js";
import { el } from "../dom.js";
import { language, t } from "../strings.js";

const WORST = 10; // classes in sight where there are many
const SHOW_ALL = 20;

// 0.9944 → 99.44 %: the second decimal is one image in ten thousand.
export function fine(share, digits = 2) {
  return `${new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(100 * share)}\u00a0%`;
}

export function scoreCard({ metrics, confusion, labels }) {
  const [low, high] = metrics.accuracy_interval, seeds = Object.values(metrics.seed_accuracies);
  return el("section", { class: "card", "aria-labelledby": "score-title" },
    el("h2", { id: "score-title" }, t("model.score")),
    el("p", { class: "big" }, fine(metrics.accuracy)),
    el("p", {}, t("model.right", { right: thousands(Math.round(metrics.accuracy * metrics.images)), images: thousands(metrics.images) })),
    interval(metrics.accuracy, low, high),
    el("p", {}, t("model.interval", { low: fine(low), high: fine(high) })),
    el("p", {}, t("model.calibration", { error: fine(metrics.calibration_error).replace(/\s%$/, "") })),
    seeds.length > 1 && el("p", {}, t("model.seeds", { n: seeds.length, accuracies: seeds.map((one) => fine(one)).join(", ") })),
    el("p", { class: "quiet" }, t("model.measured"), " ", el("span", { lang: "en" }, `“${metrics.measured_on}”`)),
    el("h3", {}, t("model.perClass")),
    perClass(metrics.per_class_accuracy, confusion, labels));
}

// What others measured says that it is theirs, before anybody takes it for ours.
export function publishedCard({ accuracy, source }) {
  return el("section", { class: "card", "aria-labelledby": "score-title" },
    el("h2", { id: "score-title" }, t("model.score")),
    el("p", { class: "big" }, fine(accuracy, 1)),
    el("p", {}, t("model.published")),
    el("p", { class: "quiet", lang: "en" }, source));
}

// The interval on a scale that ends at 100 %.
function interval(accuracy, low, high) {
  const start = Math.max(0, 1 - 2.5 * (1 - low)), place = (share) => `${(100 * (share - start)) / (1 - start)}%`;
  return el("div", { class: "interval", "aria-hidden": "true" },
    el("i", { style: { left: place(low), right: `${100 - Number.parseFloat(place(high))}%` } }), el("b", { style: { left: place(accuracy) } }),
    el("span", {}, fine(start, 1)), el("span", {}, fine(1, 0)));
}

// The worst first. The bar is the share of images that were wrong: bars of what is right look alike.
function perClass(accuracies, confusion, labels) {
  const rows = Object.entries(accuracies).sort(([, one], [, other]) => one - other);
  const most = 1 - rows[0][1];
  const row = ([label, accuracy], index) => {
    const counts = confusion?.[labels.indexOf(label)], images = counts?.reduce((sum, count) => sum + count, 0);
    return el("tr", {}, el("th", { scope: "row" }, label, index === 0 && most > 0 && el("span", { class: "chip worst" }, t("model.worst"))),
      el("td", { class: "number" }, fine(accuracy)),
      el("td", { class: "number" }, images ? t("model.of", { wrong: thousands(images - counts[labels.indexOf(label)]), images: thousands(images) }) : fine(1 - accuracy)),
      el("td", { class: "bar-cell", "aria-hidden": "true" }, el("i", { style: { width: `${most ? (100 * (1 - accuracy)) / most : 0}%` } })));
  };
  const table = (some, first) => el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("model.perClass") },
    el("table", { class: "per-class" }, el("caption", { class: "unseen" }, t("model.perClass")),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t("model.class")), el("th", { scope: "col", class: "number" }, t("model.rightShare")), el("th", { scope: "col", class: "number" }, t("model.wrong")), el("td", { "aria-hidden": "true" }))),
      el("tbody", {}, some.map((one, index) => row(one, first + index)))));
  if (rows.length <= SHOW_ALL) return table(rows, 0);
  return el("div", {}, table(rows.slice(0, WORST), 0), el("details", {}, el("summary", {}, t("model.moreClasses", { n: thousands(rows.length - WORST) })), table(rows.slice(WORST), WORST)));
}
