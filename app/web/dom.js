// Making elements, in one line each. Knows nothing of what they are for.

const SVG = "http://www.w3.org/2000/svg";

// el("button", { class: "quiet", type: "button", onclick, "aria-pressed": false }, "Text", child)
// A property that is null or undefined is left out; one that begins with "on" is a listener; `style`
// is an object of CSS properties, set one by one, because the page's CSP allows no style attributes.
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else if (name in element && typeof value === "boolean") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// One of the pictures of icons.svg, for the eye alone.
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", new URL(`icons.svg#${name}`, import.meta.url).href);
  svg.append(use);
  return svg;
}

// A button with an icon before its words.
export function button(name, text, onclick, properties = {}) {
  return el("button", { type: "button", onclick, ...properties }, icon(name), el("span", {}, text));
}
