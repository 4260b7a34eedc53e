/** Fig. 25 of one reading: the field, F6 along it, the penalties with the best path, its digits. */

import { shaded } from "./tiles.js";

/** In CSS pixels: beside and between the pictures, a class's row, a bitmap with its gap, numerals. */
const LEFT = 26;
const BETWEEN = 12;
const ROW = 10;
const BITMAP = 14;
const NUMERALS = 30;
/** Of a column of the field, at most; and the columns that are left room for. */
const WIDEST = 4;
const USUAL = 160;

/**
 * @param {HTMLCanvasElement} canvas as wide as its place
 * @param {?object} reading of `readNumber`; null where nothing is drawn
 * @param {{classes: string[], rows: number, columns: number, field: number, levels: number[],
 *   amplitude: number}} plan names of the classes, size of F6's bitmap, height and levels of the
 *   field, and where the squash ends
 */
export function paintStrip(canvas, reading, plan, colours) {
  const { classes, rows, columns, field, levels, amplitude } = plan;
  const width = canvas.clientWidth;
  const room = width - LEFT;
  const wide = reading ? reading.states[0].length / field : USUAL;
  const usual = Math.min(WIDEST, room / USUAL); // a number is as large however long it is, while it
  const cell = Math.min(usual, room / wide); // fits: nothing jumps while one draws
  const [fieldHigh, bitmapHigh, heatHigh] = [
    usual * field, (rows / columns) * BITMAP * 1.3, ROW * classes.length,
  ];
  const heatTop = fieldHigh + bitmapHigh + 2 * BETWEEN;
  const height = Math.ceil(heatTop + heatHigh + NUMERALS + 1);
  const brush = sharp(canvas, width, height);
  const x = (column) => LEFT + column * cell;

  const outputs = reading?.outputs ?? (wide - field) / 2 + 1;
  const every = reading?.every ?? 2;
  const output = (at) => x(every * at + field / 2 - every / 2); // in the middle of what it sees
  const heatWide = every * outputs * cell;
  if (reading) {
    const input = shaded(reading.states[0], wide, levels, colours);
    brush.drawImage(input, LEFT, (fieldHigh - field * cell) / 2, wide * cell, field * cell);
    const above = excess(reading);
    const heat = shaded(above, outputs, [Math.max(...above) / 2, 0], colours);
    brush.drawImage(heat, output(0), heatTop, heatWide, heatHigh);
    paintBitmaps(reading);
  }
  const font = (size) => `${size}px ${getComputedStyle(canvas).fontFamily}`;
  const rowMiddle = (which) => heatTop + (which + 0.5) * ROW;
  Object.assign(brush, { font: font(11), textBaseline: "middle", textAlign: "right" });
  Object.assign(brush, { fillStyle: `rgb(${colours.ink})`, strokeStyle: colours.line, lineWidth: 1 });
  classes.forEach((name, which) => brush.fillText(name, output(0) - 5, rowMiddle(which)));
  brush.strokeRect(LEFT + 0.5, (fieldHigh - field * cell) / 2 + 0.5, wide * cell - 1, field * cell - 1);
  brush.strokeRect(output(0) + 0.5, heatTop + 0.5, heatWide - 1, heatHigh - 1);
  const { accent } = colours;
  Object.assign(brush, { font: font(22), textAlign: "center", lineWidth: 3 });
  Object.assign(brush, { fillStyle: accent, strokeStyle: accent });
  for (const { digit, first, end } of reading?.digits ?? []) {
    brush.beginPath();
    brush.moveTo(output(first), rowMiddle(digit));
    brush.lineTo(output(end), rowMiddle(digit));
    brush.stroke();
    brush.fillText(classes[digit], (output(first) + output(end)) / 2, height - NUMERALS / 2 + 2);
  }

  function paintBitmaps({ states }) {
    const f6 = states.at(-2);
    const skip = Math.ceil(BITMAP / (every * cell));
    const side = (0.9 * skip * every * cell) / columns;
    const units = rows * columns;
    const one = (_, at) => f6[(at % units) * outputs + Math.floor(at / units)];
    const all = Float64Array.from(f6, one); // output by output
    const bitmaps = shaded(all, columns, [-amplitude, amplitude], colours);
    const [top, width, height] = [fieldHigh + BETWEEN, columns * side, rows * side];
    for (let at = 0; at < outputs; at += skip) {
      const left = x(every * at + field / 2) - width / 2;
      brush.drawImage(bitmaps, 0, at * rows, columns, rows, left, top, width, height);
    }
  }
}

/** How much each penalty is above the least of its output: that is what the path goes by. */
function excess({ penalties, outputs }) {
  const least = new Float64Array(outputs).fill(Infinity);
  penalties.forEach((one, at) => (least[at % outputs] = Math.min(least[at % outputs], one)));
  return penalties.map((one, at) => one - least[at % outputs]);
}

/** A clean canvas of a size in CSS pixels, sharp at the screen's resolution. */
function sharp(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [across, down] = [width, height].map((side) => Math.round(side * ratio));
  canvas.style.height = `${height}px`;
  if (canvas.width !== across || canvas.height !== down) {
    Object.assign(canvas, { width: across, height: down });
  }
  const brush = canvas.getContext("2d");
  brush.setTransform(ratio, 0, 0, ratio, 0, 0);
  brush.clearRect(0, 0, width, height);
  brush.imageSmoothingEnabled = false;
  return brush;
}
