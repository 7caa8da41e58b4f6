// How a network was trained: the recipe as a table, and its curves.

import { curves } from "./curves.js";
import { el } from "../dom.js";
import { has, language, t } from "../strings.js";

const SAID_ELSEWHERE = new Set(["name", "description", "data", "preprocess"]);

export function trainingCards({ recipe, history }) {
  const card = (title, ...content) => el("section", { class: "card", "aria-labelledby": `${title}-title` }, el("h2", { id: `${title}-title` }, t(`model.${title}`)), ...content);
  return [
    recipe && card("recipe", el("table", {}, el("caption", { class: "unseen" }, t("model.recipe")),
      el("tbody", {}, rows(recipe).map(([key, value]) => el("tr", {}, el("th", { scope: "row" }, has(`model.recipe.${key}`) ? t(`model.recipe.${key}`) : el("code", {}, key)), el("td", {}, value)))))),
    history?.length > 1 && card("curves", ...curves(history)),
  ].filter(Boolean);
}

// A recipe's facts, what is nested laid flat; what has no name here keeps that of the file.
function rows(recipe, prefix = "") {
  return Object.entries(recipe).filter(([key]) => !SAID_ELSEWHERE.has(key)).flatMap(([key, value]) => (
    value && typeof value === "object" && !Array.isArray(value) ? rows(value, `${key}.`) : [[prefix + key, said(value)]]));
}

function said(value) {
  if (Array.isArray(value)) return value.map(said).join(", ");
  return typeof value === "number" ? new Intl.NumberFormat(language, { maximumSignificantDigits: 6 }).format(value) : String(value);
}
