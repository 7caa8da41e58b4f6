// The answer to one picture: what it is called, the bars, what the network knows, where the time went.

import { bars } from "../embed/bars.js";
import { isUnsure, milliseconds, percent } from "../embed/numbers.js";
import { headline } from "../embed/sentences.js";
import { el, icon } from "../dom.js";
import { shared } from "../state.js";
import { t } from "../strings.js";

const FEW = 12; // classes that are all named at once

// What stands there before there is an answer: never an empty box.
export function knows() {
  const { labels } = shared.model;
  const chips = (some) => some.map((label) => el("li", { class: "chip" }, label));
  return el("div", { class: "knows" },
    el("p", { class: "quiet" }, t("classify.knows", { n: labels.length })),
    el("ul", { class: "chips", role: "list" }, chips(labels.slice(0, FEW))),
    labels.length > FEW && el("details", {},
      el("summary", {}, t("classify.more", { n: labels.length - FEW })),
      el("ul", { class: "chips", role: "list" }, chips(labels.slice(FEW)))));
}

export function answerPanel(answer) {
  const { predictions } = answer;
  const [best] = predictions, unsure = isUnsure(predictions);
  return el("div", { class: "answer" },
    unsure
      ? el("p", { class: "note doubt" }, icon("unsure"), el("strong", {}, headline(predictions)))
      : el("p", { class: "headline" }, el("strong", {}, best.label), " ", el("span", {}, percent(best.probability))),
    bars(predictions),
    times(answer.milliseconds));
}

// "9.1 ms there and back", and the parts that the service has measured as a strip.
function times({ total, queue, decode, network }) {
  const parts = Object.entries({ queue, decode, network }).filter(([, taken]) => taken !== null);
  const rest = total - parts.reduce((sum, [, taken]) => sum + taken, 0);
  if (parts.length && rest > 0) parts.push(["rest", rest]);
  return el("div", { class: "times" },
    parts.length > 0 && el("div", { class: "strip", "aria-hidden": "true" },
      parts.map(([name, taken]) => el("i", { class: name, style: { "flex-grow": taken } }))),
    el("p", { class: "quiet" }, t(parts.length ? "classify.total" : "classify.totalAlone", { time: milliseconds(total) }), " ",
      parts.map(([name, taken]) => el("span", { class: `part ${name}` }, t(`classify.time.${name}`, { time: milliseconds(taken) })))));
}
