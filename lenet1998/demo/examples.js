/** Ten digits as a hand would write them: the corners of each stroke, 0 to 100, rounded off. */

import { GRID } from "./strokes.js";

const CORNERS = [
  [[55, 12, 34, 18, 24, 45, 30, 78, 48, 88, 66, 82, 75, 55, 70, 25, 55, 12]],
  [[40, 28, 50, 18, 56, 10, 54, 50, 50, 90]],
  [[28, 30, 34, 14, 54, 10, 68, 22, 64, 42, 44, 64, 26, 84, 32, 88, 50, 84, 76, 86]],
  [[30, 16, 50, 10, 68, 18, 66, 36, 46, 47, 44, 48, 66, 52, 73, 70, 62, 86, 44, 90, 27, 82]],
  [[36, 12, 32, 34, 27, 56, 30, 58, 52, 56, 74, 54], [64, 16, 62, 50, 58, 90]],
  [[38, 14, 36, 30, 32, 46, 50, 44, 68, 54, 68, 76, 50, 88, 28, 82], [38, 14, 54, 13, 72, 12]],
  [[64, 10, 44, 26, 32, 50, 32, 76, 46, 90, 64, 84, 68, 66, 56, 56, 40, 60, 33, 72]],
  [[25, 17, 48, 16, 74, 13, 74, 13, 62, 36, 52, 60, 46, 90]],
  [
    [66, 18, 48, 10, 32, 20, 40, 38, 60, 52, 70, 72],
    [70, 72, 54, 89, 34, 80, 36, 62, 56, 46, 68, 30, 66, 18],
  ],
  [[68, 26, 52, 12, 34, 22, 32, 42, 46, 50, 62, 42, 68, 26, 68, 27, 66, 56, 58, 90]],
];

/** @returns {Stroke[]} the strokes of a digit on the grid of a drawing */
export function example(digit) {
  return CORNERS[digit].map((numbers) => {
    let points = [];
    for (let i = 0; i < numbers.length; i += 2) points.push([numbers[i], numbers[i + 1]]);
    for (let times = 0; times < 3; times++) points = rounded(points);
    return points.map((point) => point.map((value) => Math.round((value * GRID) / 100)));
  });
}

/** The strokes of digits side by side, all over a paper so high. */
export function exampleOf(text, high) {
  const size = (0.7 * high) / GRID;
  const step = 0.62 * size * GRID;
  const left = (GRID - step * text.length - 0.38 * size * GRID) / 2;
  return [...text].flatMap((digit, place) =>
    example(Number(digit)).map((stroke) =>
      stroke.map(([x, y]) => [left + place * step + size * x, 0.15 * high + size * y].map(Math.round)),
    ),
  );
}

/** Chaikin's: every corner is cut at a quarter of its sides. */
function rounded(points) {
  const cut = points.slice(1).flatMap((to, index) => {
    const from = points[index];
    return [0.25, 0.75].map((part) => from.map((value, axis) => value + part * (to[axis] - value)));
  });
  return [points[0], ...cut, points.at(-1)];
}
