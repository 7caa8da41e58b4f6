// The page's own sentences, added to the one table in embed/strings.js, which has those that the
// element shares (common.*, element.*, classify.error.*). Each language is a file in words/, loaded
// when it is chosen. The page's modules import `t` and the rest from here.

import { extend, setLanguage as choose } from "./embed/strings.js";

export { has, language, languageOf, t } from "./embed/strings.js";

const loaded = new Set();

// Resolves when everything can be said in it.
export async function setLanguage(name) {
  if (!loaded.has(name)) {
    const { default: sentences } = await import(`./words/${name}.js`);
    loaded.add(name);
    extend({ [name]: sentences });
  }
  choose(name);
}
