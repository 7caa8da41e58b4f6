// Arrays of numbers → pictures of them, and base64 → arrays. Knows nothing of networks.

// base64, as the service sends it → Float32Array or Uint8Array.
export function floats(text) {
  return new Float32Array(bytes(text).buffer);
}

export function bytes(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

// Colour of a share 0…1, as [red, green, blue]. Cividis looks the same to colour-blind eyes (Nuñez,
// Anderton, Renslow 2018); its polynomial is that of d3-scale-chromatic.
export function cividis(share) {
  const s = Math.min(1, Math.max(0, share));
  return [
    -4.54 - s * (35.34 - s * (2381.73 - s * (6402.7 - s * (7024.72 - s * 2710.57)))),
    32.49 + s * (170.73 + s * (52.82 - s * (131.46 - s * (176.58 - s * 67.37)))),
    81.24 + s * (442.36 - s * (2482.43 - s * (6167.24 - s * (6614.94 - s * 2475.67)))),
  ];
}

const FOR = [217, 95, 2], AGAINST = [43, 96, 203]; // orange and blue: apart for colour-blind eyes too

// −1…1 → blue through white to orange.
export function diverging(share) {
  const s = Math.min(1, Math.max(-1, share)), colour = s < 0 ? AGAINST : FOR;
  return colour.map((level) => 255 + (level - 255) * Math.abs(s));
}

export function grey(share) {
  const level = 255 * Math.min(1, Math.max(0, share));
  return [level, level, level];
}

// Draws height × width values, row by row, one canvas pixel each; `colour(value)` gives
// [red, green, blue] or [red, green, blue, alpha 0…1]. CSS enlarges it (class "pixels").
export function paint(canvas, values, height, width, colour) {
  canvas.width = width;
  canvas.height = height;
  const picture = new ImageData(width, height);
  for (let index = 0; index < height * width; index++) {
    const [red, green, blue, alpha = 1] = colour(values[index]);
    picture.data.set([red, green, blue, 255 * alpha], 4 * index);
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}

// For laying over a picture: orange where it speaks for, blue where against, clear where it is silent.
export function overlay(strongest, opacity = 0.75) {
  return (value) => {
    const share = strongest ? value / strongest : 0;
    return [...(share < 0 ? AGAINST : FOR), opacity * Math.min(1, Math.abs(share))];
  };
}
