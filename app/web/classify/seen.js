// What the network saw: the very pixels, and the steps from the picture to them, from POST /seen.

import { milliseconds, thousands } from "../embed/numbers.js";
import { t } from "../strings.js";
import { el } from "../dom.js";

const size = ([width, height]) => `${width} × ${height}`;
const COLOURS = { L: "grey", LA: "greyAlpha", RGB: "rgb", RGBA: "rgba", CMYK: "cmyk", P: "palette", "1": "bilevel" };

// One sentence for each step; what a step did is in the service's own terms.
const SENTENCES = {
  decode: ({ format, stored, size: read }) => stored.join() === read.join()
    ? t("classify.step.decode", { format, size: size(stored) })
    : t("classify.step.decodeSmaller", { format, size: size(stored), read: size(read) }),
  orient: ({ exif, degrees_clockwise: degrees, mirrored }) =>
    t(mirrored ? "classify.step.orientMirrored" : "classify.step.orient", { exif, degrees }),
  colour: ({ from, to, background }) =>
    t(background ? "classify.step.colourBackground" : "classify.step.colour", {
      from: t(`classify.mode.${COLOURS[from] ?? "other"}`, { mode: from }),
      to: t(`classify.mode.${COLOURS[to]}`),
      background: `rgb(${background})`,
    }),
  digit: ({ untouched, inverted, box }) => {
    if (untouched) return t("classify.step.digitUntouched");
    if (!box) return t("classify.step.digitBlank");
    return t(inverted ? "classify.step.digitInverted" : "classify.step.digit");
  },
  resize: ({ layout, filter, from, to, distortion }) => {
    const text = t(`classify.step.resize.${layout}`, { from: size(from), to: size(to), filter });
    return distortion < 1.02 ? text : `${text}. ${t("classify.step.distortion", { percent: thousands(100 * (distortion - 1)) })}`;
  },
};

// The steps and the pixels that they led to; `card` is the model's.
export function seenPanel(seen, card) {
  const { normalise } = card.recipe ?? {};
  const rows = seen.steps.map((step) => row(t(`classify.stepName.${step.name}`), SENTENCES[step.name](step.did), step.milliseconds));
  rows.push(row(t("classify.stepName.normalise"), normalise ? t("classify.step.normalise", { formula: formula(normalise) }) : t("classify.step.normaliseInside"), null));
  return el("div", { class: "seen" },
    el("ol", { class: "steps" }, rows),
    el("figure", {}, pixels(seen), el("figcaption", { class: "quiet" }, t("classify.seenCaption", {
      width: seen.width, height: seen.height, channels: t(seen.channels === 1 ? "classify.oneChannel" : "classify.threeChannels"),
      numbers: thousands(seen.width * seen.height * seen.channels),
    }))));
}

function pixels(seen) {
  return el("img", {
    class: "pixels", src: `data:image/png;base64,${seen.png}`, width: seen.width, height: seen.height,
    alt: t("classify.seenAlt", { width: seen.width, height: seen.height }),
  });
}

function row(name, sentence, taken) {
  return el("li", {}, el("strong", {}, name), el("span", {}, sentence),
    el("span", { class: "quiet time" }, taken === null ? "" : milliseconds(taken)));
}

// (pixel − mean) / std, in the fewest signs: most nets divide by 255 alone.
function formula({ mean, std }) {
  const [centre, spread] = [mean, std].map((values) => values.map((value) => Math.round(100 * value) / 100).join(", "));
  const pixel = t("classify.pixel");
  const centred = mean.every((value) => value === 0) ? pixel : `(${pixel} − ${mean.length > 1 ? `(${centre})` : centre})`;
  return `${centred} ÷ ${std.length > 1 ? `(${spread})` : spread}`;
}
