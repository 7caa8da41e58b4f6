// Numbers as people read them, by language. Knows nothing of the document.

import { language } from "./strings.js";

const NBSP = "\u00a0"; // a number and its unit stay on one line

// A model is called unsure where two classes are close or none has most of the probability. The
// service's models are right on 99 % of their test images, so a top below one half is rare and
// worth a word; and a lead below 0.2 is one that a slightly different crop can turn round.
const CLOSE = 0.2;
const WEAK = 0.5;

function number(value, digits, locale, fewest = 0) {
  return new Intl.NumberFormat(locale, {
    maximumFractionDigits: digits, minimumFractionDigits: fewest,
  }).format(value);
}

// A share from 0 to 1 with one decimal; what only rounds to everything or nothing does not say so.
export function percent(share, locale = language) {
  if (share === 1) return `100${NBSP}%`;
  if (share === 0) return `0${NBSP}%`;
  const tenths = Math.round(share * 1000);
  if (tenths >= 1000) return `>${NBSP}${number(99.9, 1, locale)}${NBSP}%`;
  if (tenths <= 0) return `<${NBSP}${number(0.1, 1, locale)}${NBSP}%`;
  return `${number(tenths / 10, 1, locale, 1)}${NBSP}%`;
}

// 0.6 ms, 34 ms, 1.2 s.
export function milliseconds(duration, locale = language) {
  if (duration >= 999.5) return `${number(duration / 1000, 1, locale)}${locale === "ko" ? "초" : `${NBSP}s`}`;
  return `${number(duration, duration < 9.95 ? 1 : 0, locale)}${NBSP}ms`;
}

// 121,930
export function thousands(value, locale = language) {
  return number(value, 0, locale);
}

// Of predictions, most probable first. Of a lone one the second is not known: at worst it has the rest.
export function isUnsure(predictions) {
  const first = predictions[0].probability;
  const second = predictions[1]?.probability ?? 1 - first;
  return first < WEAK || first - second < CLOSE;
}
