// A button that copies text, and says whether it has. Knows nothing of what is copied.

import { button, el, icon } from "./dom.js";
import { t } from "./strings.js";

const SAID_MILLISECONDS = 2000;

// `text()` is asked when it is pressed. The clipboard is closed to pages that came by plain HTTP from
// another machine: there `shown`, which has the same text, is selected, for the person to copy.
export function copyButton(text, shown) {
  const copier = button("copy", t("use.copy"), async () => {
    try {
      await navigator.clipboard.writeText(text());
      say("check", t("use.copied"));
    } catch {
      getSelection().selectAllChildren(shown);
      say("copy", t("use.selected"));
    }
  });
  const [, words] = copier.children;
  const said = el("span", { class: "unseen", role: "status" }); // what is in a button is not read out
  let back = 0;

  function say(name, sentence) {
    copier.firstChild.replaceWith(icon(name));
    words.textContent = said.textContent = sentence;
    clearTimeout(back);
    back = setTimeout(() => {
      copier.firstChild.replaceWith(icon("copy"));
      words.textContent = t("use.copy");
      said.textContent = "";
    }, SAID_MILLISECONDS);
  }

  return el("span", { class: "copy" }, copier, said);
}
