// Numbers of a network, written for people. Knows nothing of what they count.

const locale = () => document.documentElement.lang;
const RAISED = { "-": "⁻", "+": "", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
const minus = (text) => text.replace("-", "−");

// 194,688
export function count(number) {
  return new Intl.NumberFormat(locale()).format(number);
}

// Three digits that count: 0.83, −0.0312, 12.3; what is far from 1 as 1.2·10⁻⁷.
export function figure(number) {
  const size = Math.abs(number);
  if (size && (size < 1e-3 || size >= 1e6)) return power(number);
  const digits = size >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 };
  return minus(new Intl.NumberFormat(locale(), { ...digits, useGrouping: false }).format(number || 0));
}

function power(number) {
  const [digits, exponent] = number.toExponential(1).split("e");
  return `${minus(digits)}·10${[...exponent].map((sign) => RAISED[sign]).join("")}`;
}

// 26×26×32
export function times(sizes) {
  return sizes.join("×");
}

// A quarter → "25 %"
export function share(part) {
  return `${Math.round(100 * part)}\u00a0%`;
}
