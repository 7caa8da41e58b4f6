// The page's frame: which view is on show, in which language, of which model. A view is a module that
// exports mount(root, signal, path): it fills `root`, listens until `signal` aborts, and reads `path`,
// what stands in the address behind its name (#/inside/conv1/5 → ["conv1", "5"]). What it returns, if
// anything, is go(path): called instead of a new mount when only `path` changes.

import { address, addressOf, place } from "./address.js";
import { barsSheet } from "./embed/bars.js";
import { language, languageOf, setLanguage, t } from "./strings.js";
import { chooseModel, loadModels, on, shared } from "./state.js";
import { keepAsking } from "./gone.js";
import { problemNote } from "./problem.js";
import * as classify from "./classify/view.js";
import * as inside from "./inside/view.js";
import * as why from "./why/view.js";
import * as model from "./model/view.js";
import * as use from "./use/view.js";

const VIEWS = { classify, inside, why, model, use };
const NAMES = Object.keys(VIEWS);
const NEED_INSIDE = new Set(["inside", "why"]);
const LANGUAGE = "convolu-language";
const at = (id) => document.getElementById(id);
const main = at("main");
let leaving = new AbortController(); // aborts when the view on show goes
let latest = null; // the last call of show()
let onShow = {}; // { view, language, go }

// Whatever fails here leaves no view: it is said where the view would be.
async function orSay(work) {
  try {
    await keepAsking(work);
  } catch (error) {
    leaving.abort();
    onShow = {};
    main.replaceChildren(problemNote(error));
  }
}

async function show() {
  const { view, path, model: name } = place(NAMES);
  const before = shared.model, mine = {};
  latest = mine;
  await chooseModel(name);
  if (latest !== mine) return; // the reader has gone on meanwhile
  if (view === onShow.view && onShow.go && onShow.language === language && shared.model === before) {
    onShow.go(path);
    return;
  }
  leaving.abort();
  leaving = new AbortController();
  for (const link of document.querySelectorAll("nav a")) {
    const { view: target } = link.dataset;
    link.href = address(target);
    link.hidden = NEED_INSIDE.has(target) && !shared.inside;
    if (target === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = view === "classify" ? "Convolu" : `${t(`page.${view}`)} – Convolu`;
  const root = document.createElement("div");
  root.className = `view ${view}`;
  main.replaceChildren(root);
  const go = VIEWS[view].mount(root, leaving.signal, path);
  onShow = { view, language, go: typeof go === "function" ? go : null };
}

async function speak(wanted) {
  await setLanguage(wanted);
  document.documentElement.lang = language;
  at("language").value = language;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-t-label]")) element.ariaLabel = t(element.dataset.tLabel);
  foot();
}

function foot() {
  at("footer").textContent = shared.model
    ? t("page.footer", { model: shared.model.name, version: shared.model.version, host: location.host })
    : "";
}

on("models", () => {
  at("models").replaceChildren(...shared.models.map(({ name }) => new Option(name, name)));
});
on("model", () => {
  at("models").value = shared.model.name;
  foot();
});
at("models").addEventListener("change", ({ target }) => {
  const { view } = place(NAMES); // what follows it in the address belongs to another network
  history.pushState(null, "", addressOf(shared.models.find(({ name }) => name === target.value), view));
  orSay(show); // it goes by the address, and the last one counts
});
at("language").addEventListener("change", async ({ target }) => {
  try {
    localStorage.setItem(LANGUAGE, target.value);
  } catch {
    // a browser that keeps nothing: until the page is left
  }
  await orSay(async () => {
    await speak(target.value);
    onShow = {};
    await show();
  });
});
at("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the hash is the view's
  main.focus();
});
addEventListener("hashchange", async () => {
  const before = main.firstChild;
  await orSay(show);
  if (main.firstChild === before) return; // the view has gone to another of its places by itself
  main.focus({ preventScroll: true }); // as a new page would begin: else focus is on a link that was
  scrollTo(0, 0);
});

function keptLanguage() {
  try {
    return localStorage.getItem(LANGUAGE);
  } catch {
    return null;
  }
}

document.adoptedStyleSheets = [barsSheet()];
await speak(languageOf([keptLanguage() ?? "", ...navigator.languages]));
await orSay(async () => {
  await loadModels(place(NAMES).model);
  await show();
});
