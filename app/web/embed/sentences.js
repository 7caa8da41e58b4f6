// An answer or an error → the sentence that a person reads or hears. Used by the page and the element.

import { isUnsure, percent } from "./numbers.js";
import { has, language, t } from "./strings.js";

// The head of an answer: "7: 99.2 %", or that the model is not sure.
export function headline(predictions, locale = language) {
  const [first, second] = predictions;
  if (!isUnsure(predictions)) {
    return t("common.answer", { label: first.label, percent: percent(first.probability, locale) }, locale);
  }
  const values = { first: first.label, firstPercent: percent(first.probability, locale) };
  if (!second) return t("common.unsureOne", values, locale);
  return t("common.unsure", {
    ...values, second: second.label, secondPercent: percent(second.probability, locale),
  }, locale);
}

// For a live region: the first two, in one breath.
export function spoken(predictions, locale = language) {
  const [first, second] = predictions.slice(0, 2).map(({ label, probability }) => (
    { label, percent: percent(probability, locale) }
  ));
  const start = t(isUnsure(predictions) ? "common.spokenUnsure" : "common.spoken", first, locale);
  return second ? `${start} ${t("common.spokenSecond", second, locale)}` : start;
}

// What is wrong and what to do. `file` tells a HEIC photo from other files that cannot be read.
export function errorSentence(error, { file, host = "", locale = language } = {}) {
  const code = error.code === "unsupported_image" && isHeic(file) ? "heic" : error.code;
  if (has(`classify.error.${code}`)) {
    return t(`classify.error.${code}`, { host, requestId: error.requestId ?? "–" }, locale);
  }
  return error.message; // as the service says it
}

// While the client waits before it asks again.
export function waitSentence(seconds, error, { host = "", locale = language } = {}) {
  const keys = { not_ready: "common.loading", unreachable: "common.gone" };
  return t(keys[error.code] ?? "common.busy", { seconds: Math.ceil(seconds), host }, locale);
}

function isHeic(file) {
  return /^image\/hei[cf]/.test(file?.type ?? "") || /\.hei[cf]$/i.test(file?.name ?? "");
}
