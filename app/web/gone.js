// The service does not answer: one line says so, once, and asks again until it does. Knows nothing of
// what was asked.

import { t } from "./strings.js";
import { client } from "./state.js";

const SECONDS = [1, 2, 4, 8]; // between two questions; the last one goes on
const line = document.getElementById("gone");
let asking = null;

export const isGone = ({ code }) => code === "unreachable" || code === "timeout";

// Do it again each time the service has come back, until it does not fail for want of one.
export async function keepAsking(work) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isGone(error)) throw error;
      await untilBack();
    }
  }
}

// Resolves when the service answers again; all who wait share one question.
export function untilBack() {
  asking ??= ask().finally(() => {
    asking = null;
    line.textContent = "";
  });
  return asking;
}

async function ask() {
  const since = new Date().toLocaleTimeString(document.documentElement.lang, { timeStyle: "short" });
  line.textContent = t("page.gone", { host: location.host, since });
  for (let turn = 0; ; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 1000 * SECONDS[Math.min(turn, SECONDS.length - 1)]));
    try {
      return await client.ready();
    } catch (error) {
      if (!isGone(error)) return null; // it answers, if only that it is not ready
    }
  }
}
