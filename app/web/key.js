// The API key, where the service asks for one: kept for this tab alone, sent in a header, never in a
// URL and never shown. Knows nothing of what is asked; without keys set nobody ever sees any of it.

const NAME = "convolu-key";
let key = recall();
let asking = null; // while a key is missing: what all the refused requests wait for

const bar = document.getElementById("key");
bar.innerHTML = `
  <span role="status"></span>
  <button type="button">Enter the key</button>
  <button type="button">Forget the key</button>`;
const [state, enter, forget] = bar.children;

const dialog = document.createElement("dialog");
dialog.className = "key-dialog";
dialog.lang = bar.lang = "en"; // its sentences, on a page of any language
dialog.setAttribute("aria-labelledby", "key-title");
dialog.setAttribute("aria-describedby", "key-fault key-why");
dialog.innerHTML = `
  <form>
    <h2 id="key-title">This service needs an API key</h2>
    <p id="key-fault"></p>
    <p id="key-why">Whoever runs the service gives you one. It is sent to this service only, and
      forgotten when you close this tab.</p>
    <label for="key-input">API key</label>
    <input id="key-input" type="password" autocomplete="off" autocapitalize="off" spellcheck="false"
      autofocus required pattern="\\s*[!-~]+\\s*" title="Letters, digits and signs, without spaces">
    <div>
      <button type="button">Not now</button>
      <button type="submit">Use this key</button>
    </div>
  </form>`;
document.body.append(dialog);
const form = dialog.querySelector("form"), input = dialog.querySelector("input");
const fault = dialog.querySelector("#key-fault");

// As fetch(), with the key. A refused request waits until the person has given a key that is not.
export async function call(url, options = {}) {
  for (;;) {
    const sent = key;
    const headers = new Headers(options.headers);
    if (sent) headers.set("Authorization", `Bearer ${sent}`);
    const response = await fetch(url, { ...options, headers });
    if (response.status !== 401) return response;
    if (sent === key) { // else another request has learned it already
      remember(null);
      asking ??= ask(sent !== null);
    }
    await asking;
  }
}

// What a call from a terminal needs besides; the person puts the key into the variable.
export function curlOptions() {
  return key ? ['-H "Authorization: Bearer $CONVOLU_KEY"'] : [];
}

function ask(refused) {
  // Empty, not hidden: a description is read out also where it is hidden.
  fault.textContent = refused ? "That key is not valid here, or no longer. Is it complete?" : "";
  input.setAttribute("aria-invalid", refused);
  dialog.showModal();
  return new Promise((resolve) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      asking = null;
      remember(input.value.trim());
      dialog.close();
      resolve();
    };
  });
}

function recall() {
  try {
    return sessionStorage.getItem(NAME);
  } catch { // a browser that keeps nothing: the key lasts until the page is left
    return null;
  }
}

function remember(text) {
  key = text;
  try {
    if (key) sessionStorage.setItem(NAME, key);
    else sessionStorage.removeItem(NAME);
  } catch {
    // as above
  }
  show();
}

function show() {
  bar.hidden = !key && !asking;
  state.textContent = key ? "An API key is in use, in this tab only." : "This service needs an API key: requests wait for it.";
  enter.hidden = Boolean(key);
  forget.hidden = !key;
}

enter.addEventListener("click", () => dialog.showModal());
forget.addEventListener("click", () => {
  remember(null);
  location.reload();
});
dialog.querySelector("button").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => { input.value = ""; show(); });
show();
