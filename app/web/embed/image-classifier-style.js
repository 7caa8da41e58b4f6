// How <image-classifier> looks. Light or dark as the `color-scheme` of the page around it says; the
// page changes it by the variables --ic-* and by ::part().

export function shellSheet() {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host {
      --accent: var(--ic-accent, light-dark(#1f4fd8, #8fb0ff));
      --background: var(--ic-background, light-dark(#fff, #1a1f29));
      --text: var(--ic-text, light-dark(#161a23, #eceff6));
      --radius: var(--ic-radius, .6rem);
      --bar: color-mix(in srgb, var(--accent) 28%, var(--background));
      display: block; box-sizing: border-box; min-width: 0; max-width: 32rem; padding: 1em;
      font: 1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--background);
      border: 1px solid color-mix(in srgb, var(--text) 20%, var(--background));
      border-radius: var(--radius); overflow-wrap: anywhere; word-break: keep-all;
    }
    :host([hidden]), [hidden] { display: none !important; }
    :host(:disabled) [part="drop"] { opacity: .6; }
    p { margin: 0; }
    [part="drop"] {
      display: grid; justify-items: center; gap: .6em; padding: 1em; text-align: center;
      border: 2px dashed color-mix(in srgb, var(--text) 50%, var(--background));
      border-radius: calc(var(--radius) * .7);
    }
    [part="drop"].over { border-color: var(--accent); border-style: solid; }
    .row { display: flex; flex-wrap: wrap; gap: .5em; justify-content: center; }
    [part="button"] {
      font: inherit; font-weight: 600; padding: .35em .9em; cursor: pointer; min-height: 24px;
      color: var(--accent); background: var(--background); border: 1px solid currentColor;
      border-radius: calc(var(--radius) * .6);
    }
    [part="button"]:is(:hover, :active) { text-decoration: underline; }
    [part="button"]:is(:focus-visible, :has(:focus-visible)) { outline: 3px solid var(--accent); outline-offset: 2px; }
    :host(:disabled) [part="button"] { cursor: not-allowed; }
    input, .heard {
      position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); margin: 0;
      white-space: nowrap; opacity: 0;
    }
    label { position: relative; }
    @media not all and (pointer: coarse) { .photo { display: none; } }
    [part="preview"] { max-width: 100%; max-height: 14rem; border-radius: calc(var(--radius) * .4); }
    [part="preview"].small { width: 9rem; image-rendering: pixelated; }
    [part="result"], [part="error"], [part="drop"] + .row, section ~ .row { margin-block-start: .8em; }
    .row:not(:has(> :not([hidden]))) { display: none; }
    .headline { font-weight: 700; font-size: 1.15em; margin-block-end: .4em; }
    [part="error"] { color: light-dark(#a3231b, #ff9d94); font-weight: 600; }
    /* An answer in 5 ms must not flash a spinner: what waits shows itself after 200 ms. */
    .working, .late { animation: appear 1ms .2s backwards; }
    .working::before {
      content: ""; display: inline-block; width: .8em; height: .8em; margin-inline-end: .6em;
      border: 2px solid; border-inline-start-color: transparent; border-radius: 50%;
      animation: turn 1s linear infinite;
    }
    @keyframes appear { from { visibility: hidden; } }
    @keyframes turn { to { rotate: 1turn; } }
    @media (prefers-reduced-motion: reduce) { .working::before { animation: none; } }
  `);
  return sheet;
}
