/**
 * From strokes to the network's input, as lenet1998.data.normalisation has it.
 *
 * @typedef {number[][]} Stroke points [x, y] on the grid of a drawing
 * @typedef {{ink: Float64Array, height: number, width: number}} Picture ink from 0 to 1
 */

/**
 * Draw strokes so that the longer side has a given number of pixels.
 *
 * The pen is as wide, beside the digit, as that of MNIST's digits: so neither place nor size on the
 * canvas matters. A dot has no size; it is drawn with the finest pen.
 *
 * @param {Stroke[]} strokes at least one
 * @returns {Picture}
 */
export function rasterise(strokes, { closeUp, pen, finest }) {
  const { left, top, right, bottom } = boxOf(strokes);
  const extent = Math.max(right - left, bottom - top);
  const reach = Math.max(finest, (extent * pen) / (1 - pen)) / 2;
  const scale = closeUp / (extent + 2 * reach);
  const radius = reach * scale;
  const [width, height] = [right - left, bottom - top].map((side) =>
    Math.ceil(side * scale + 2 * radius),
  );
  return traced(strokes, { left, top, scale, radius, width, height });
}

function boxOf(strokes) {
  const points = strokes.flat();
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  const [left, right, top, bottom] = [xs, ys].flatMap((all) => [Math.min(...all), Math.max(...all)]);
  return { left, right, top, bottom };
}

/** A picture of strokes; the radius of the pen lies before the left and above the top. */
function traced(strokes, { left, top, scale, radius, width, height }) {
  const place = ([x, y]) => [(x - left) * scale + radius, (y - top) * scale + radius];
  const ink = new Float64Array(width * height);
  for (const stroke of strokes) {
    for (let i = 0; i < Math.max(1, stroke.length - 1); i++) {
      segment(ink, width, height, place(stroke[i]), place(stroke[i + 1] ?? stroke[i]), radius);
    }
  }
  return { ink, height, width };
}

/**
 * Draw digits that stand side by side as high as MNIST's, their middle in that of the field.
 *
 * As `find_line` does with a picture; but there marks are the ink that hangs together, here the
 * strokes that stand above one another, and what is lower than `least` is not enlarged to a digit.
 *
 * @param {Stroke[]} strokes at least one
 * @returns {Picture}
 */
export function rasteriseLine(strokes, pens, { field, box }) {
  const { closeUp, pen, drawn, least, speck, offLine } = pens;
  const marks = marksOf(strokes, drawn);
  const extent = Math.max(least, ofMostInk(marks, ({ top, bottom }) => bottom - top));
  const tall = extent / (1 - pen);
  const line = ofMostInk(marks, middle);
  const isPart = (mark) =>
    Math.abs(middle(mark) - line) < offLine * tall &&
    Math.max(mark.right - mark.left, mark.bottom - mark.top) + pen * tall > speck * tall;
  const parts = marks.filter(isPart).flatMap((mark) => mark.strokes);
  const kept = parts.length ? parts : strokes;
  const { left, right, ...rows } = boxOf(kept);
  const [scale, radius, fine] = [closeUp / tall, (closeUp * pen) / 2, closeUp / box];
  const width = fine * Math.ceil(((right - left) * scale + 2 * radius) / fine);
  const height = fine * field;
  const top = middle(rows) - (height / 2 - radius) / scale;
  return traced(kept, { left, top, scale, radius, width, height });
}

/**
 * Strokes together that stand above one another, by half of the narrower one, not far apart: as
 * they are drawn on the paper, by a pen so wide.
 */
function marksOf(strokes, drawn) {
  const marks = [];
  for (const stroke of strokes) {
    let mark = { strokes: [stroke], ...boxOf([stroke]) };
    for (const other of marks.filter((each) => areAbove(each, mark, drawn))) {
      marks.splice(marks.indexOf(other), 1);
      const all = [...other.strokes, ...mark.strokes];
      mark = { strokes: all, ...boxOf(all) };
    }
    marks.push(mark);
  }
  return marks;
}

function areAbove(one, other, drawn) {
  const sizes = (from, to) => [one[to] - one[from], other[to] - other[from]];
  const shared = (from, to) => Math.min(one[to], other[to]) - Math.max(one[from], other[from]);
  const isNear = -2 * shared("top", "bottom") <= Math.max(...sizes("top", "bottom")) + drawn;
  return isNear && 2 * shared("left", "right") + drawn >= Math.min(...sizes("left", "right"));
}

const middle = ({ top, bottom }) => (top + bottom) / 2;

/** The median over the ink of what its marks have. */
function ofMostInk(marks, what) {
  const length = (stroke) =>
    stroke.slice(1).reduce((sum, [x, y], before) => {
      const [fromX, fromY] = stroke[before];
      return sum + Math.hypot(x - fromX, y - fromY);
    }, 1); // of a dot too
  const parts = marks.map((mark) => ({
    value: what(mark),
    ink: mark.strokes.reduce((sum, stroke) => sum + length(stroke), 0),
  }));
  parts.sort((one, other) => one.value - other.value);
  let rest = parts.reduce((sum, { ink }) => sum + ink, 0) / 2;
  return parts.find(({ ink }) => (rest -= ink) <= 0).value;
}

/**
 * A field of what `rasteriseLine` draws, with as much background beside it as `read_line` leaves.
 *
 * @returns {?Float64Array} 32 rows; null where the picture has no ink
 */
export function toField({ ink, width }, { closeUp }, { field, box, background, ink: full, beside }) {
  const fine = closeUp / box;
  const wide = width / fine;
  const means = new Float64Array(field * wide);
  for (let at = 0, line = 0; line < fine * field; line++) {
    const row = wide * Math.floor(line / fine);
    for (let column = 0; column < width; column++) means[row + Math.floor(column / fine)] += ink[at++];
  }
  const darkest = means.reduce((most, level) => Math.max(most, level), 0);
  if (!darkest) return null;
  let [first, last] = [wide, 0];
  means.forEach((level, at) => {
    if (level <= 0.01 * darkest) return;
    first = Math.min(first, at % wide);
    last = Math.max(last, (at % wide) + 1);
  });
  const columns = last - first + 2 * beside + ((last - first) % 2);
  const levels = new Float64Array(field * columns).fill(background);
  for (let row = 0; row < field; row++) {
    for (let column = first; column < last; column++) {
      const share = means[row * wide + column] / darkest;
      levels[row * columns + beside + column - first] += (full - background) * share;
    }
  }
  return levels;
}

/** A straight piece of a stroke, with round ends and an edge one pixel soft. */
function segment(ink, width, height, [x0, y0], [x1, y1], radius) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const squared = dx * dx + dy * dy;
  const span = (a, b, size) => [
    Math.max(0, Math.floor(Math.min(a, b) - radius - 1)),
    Math.min(size, Math.ceil(Math.max(a, b) + radius + 1)),
  ];
  const [left, right] = span(x0, x1, width);
  const [top, bottom] = span(y0, y1, height);
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      const [x, y] = [column + 0.5 - x0, row + 0.5 - y0];
      const along = squared && Math.min(1, Math.max(0, (x * dx + y * dy) / squared));
      const [awayX, awayY] = [x - along * dx, y - along * dy];
      const cover = radius + 0.5 - Math.sqrt(awayX * awayX + awayY * awayY);
      const at = row * width + column;
      if (cover > ink[at]) ink[at] = Math.min(1, cover);
    }
  }
}

/**
 * `normalise_digit`: the ink's box fitted into 20x20, its centre of mass brought to the middle.
 *
 * @param {Picture} picture with some ink
 * @returns {Uint8Array} 28x28, the darkest ink 255
 */
export function normalise({ ink, height, width }, { image, box, centre }) {
  const { top, bottom, left, right } = extentOf(ink, height, width);
  const scale = box / Math.max(bottom - top, right - left);
  const [rows, columns] = [bottom - top, right - left].map((side) =>
    Math.max(1, roundToEven(side * scale)),
  );
  const across = triangles(right - left, columns);
  const narrow = new Float64Array((bottom - top) * columns);
  for (let to = 0; to < narrow.length; to++) {
    const from = (top + Math.floor(to / columns)) * width + left;
    narrow[to] = weigh(ink, across[to % columns], from, 1);
  }
  const down = triangles(bottom - top, rows);
  const digit = new Float64Array(rows * columns);
  const [byRow, byColumn] = [new Float64Array(rows), new Float64Array(columns)];
  let darkest = 0;
  for (let to = 0; to < digit.length; to++) {
    const [row, column] = [Math.floor(to / columns), to % columns];
    digit[to] = weigh(narrow, down[row], column, columns);
    byRow[row] += digit[to];
    byColumn[column] += digit[to];
    darkest = Math.max(darkest, digit[to]);
  }
  const [first, start] = [byRow, byColumn].map((profile) => firstIndex(profile, image, centre));
  const field = new Uint8Array(image * image);
  for (let from = 0; from < digit.length; from++) {
    const [row, column] = [Math.floor(from / columns), from % columns];
    field[(first + row) * image + start + column] = roundToEven((digit[from] * 255) / darkest);
  }
  return field;
}

/** `to_network_input`: the levels of a 28x28 picture with paper around it. */
export function toInput(pixels, { field, image, padding, background, ink }) {
  const levels = new Float64Array(field * field).fill(background);
  for (let at = 0; at < pixels.length; at++) {
    const [row, column] = [Math.floor(at / image) + padding, (at % image) + padding];
    levels[row * field + column] = background + ((ink - background) * pixels[at]) / 255;
  }
  return levels;
}

function extentOf(ink, height, width) {
  let [top, bottom, left, right] = [height, 0, width, 0];
  for (let at = 0; at < ink.length; at++) {
    if (!(ink[at] > 0)) continue;
    const [row, column] = [Math.floor(at / width), at % width];
    [top, bottom] = [Math.min(top, row), Math.max(bottom, row + 1)];
    [left, right] = [Math.min(left, column), Math.max(right, column + 1)];
  }
  return { top, bottom, left, right };
}

/** For each pixel of a resized side the pixels that it is the mean of, weighted by a triangle. */
function triangles(from, to) {
  const scale = from / to;
  const reach = Math.max(1, scale);
  return Array.from({ length: to }, (_, index) => {
    const centre = scale * (index + 0.5);
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(from, Math.trunc(centre + reach + 0.5));
    const weights = Array.from({ length: end - first }, (_, place) =>
      Math.max(0, 1 - Math.abs(first + place + 0.5 - centre) / reach),
    );
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => weight / total) };
  });
}

function weigh(values, { first, weights }, start, step) {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) sum += weights[i] * values[start + (first + i) * step];
  return sum;
}

/** Where a digit with this ink per row, or column, starts, so that its mass is in the middle. */
function firstIndex(profile, image, centre) {
  let [mass, moment] = [0, 0];
  profile.forEach((ink, index) => {
    mass += ink;
    moment += index * ink;
  });
  const start = roundToEven(centre - moment / mass);
  return Math.min(Math.max(start, 0), image - profile.length);
}

/** Python's and PyTorch's: a half goes to the even neighbour. */
function roundToEven(value) {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}
