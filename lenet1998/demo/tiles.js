/** The states of a layer as a picture: a tile for each map, a square for each unit. */

/** Between tiles of more than one unit, in CSS pixels. */
const GAP = 6;

/**
 * @typedef {{maps: number, rows: number, columns: number, across: number, cell: number}} Plan
 *   so many maps of so many units, so many tiles side by side, a unit so many CSS pixels wide
 * @typedef {{paper: number[], ink: number[], accent: string}} Colours
 */
export class Tiles {
  /** @param {HTMLCanvasElement} canvas @param {Plan} plan */
  constructor(canvas, plan) {
    Object.assign(this, { canvas, plan });
    const { maps, rows, columns, across, cell } = plan;
    this.gap = rows * columns > 1 ? GAP : 0;
    this.stepX = columns * cell + this.gap;
    this.stepY = rows * cell + this.gap;
    this.width = across * this.stepX - this.gap;
    this.height = Math.ceil(maps / across) * this.stepY - this.gap;
    this.buffer = document.createElement("canvas");
    canvas.style.width = `${this.width + 2}px`;
    canvas.style.height = `${this.height + 2}px`;
  }

  /** Paint states, `low` as paper and `high` as ink; without states all is blank. */
  paint(states, range, colours) {
    const { line } = colours;
    const { maps, rows, columns, cell } = this.plan;
    const shown = states ?? new Float64Array(maps * rows * columns).fill(range[0]);
    shaded(shown, columns, range, colours, this.buffer);
    const brush = this.#clean();
    for (let map = 0; map < maps; map++) {
      const [x, y] = this.corner(map);
      const [width, height] = [columns * cell, rows * cell];
      brush.drawImage(this.buffer, 0, map * rows, columns, rows, x, y, width, height);
    }
    brush.strokeStyle = line;
    brush.lineWidth = 1;
    if (!this.gap) brush.strokeRect(0.5, 0.5, this.width + 1, this.height + 1);
    else for (let map = 0; map < maps; map++) this.frame(map, line, 1);
  }

  /** A clean canvas, sharp at the screen's resolution; a pixel around is left for frames. */
  #clean() {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [this.width, this.height].map((side) => Math.round((side + 2) * ratio));
    const brush = this.canvas.getContext("2d");
    if (this.canvas.width !== width) Object.assign(this.canvas, { width, height });
    brush.setTransform(ratio, 0, 0, ratio, 0, 0);
    brush.clearRect(0, 0, width, height);
    brush.imageSmoothingEnabled = false;
    return brush;
  }

  corner(map) {
    const { across } = this.plan;
    return [1 + (map % across) * this.stepX, 1 + Math.floor(map / across) * this.stepY];
  }

  /** A frame around a tile, or around a square of its units. */
  frame(map, colour, width, square) {
    const { rows, columns, cell } = this.plan;
    const [x, y] = this.corner(map);
    const { row, column, extent } = square ?? { row: 0, column: 0 };
    const [wide, high] = [extent ?? columns, extent ?? rows].map((units) => units * cell);
    const out = width === 1 ? 0.5 : 0; // sharp lines
    const brush = this.canvas.getContext("2d");
    brush.strokeStyle = colour;
    brush.lineWidth = width;
    const [left, top] = [x + column * cell - out, y + row * cell - out];
    brush.strokeRect(left, top, wide + 2 * out, high + 2 * out);
  }

  /** The unit at a place of the canvas; null between the tiles. */
  unitAt(x, y) {
    const { maps, rows, columns, across, cell } = this.plan;
    const tileX = Math.floor((x - 1) / this.stepX);
    const tileY = Math.floor((y - 1) / this.stepY);
    const column = Math.floor((x - 1 - tileX * this.stepX) / cell);
    const row = Math.floor((y - 1 - tileY * this.stepY) / cell);
    const map = tileY * across + tileX;
    const isInside = (value, size) => value >= 0 && value < size;
    if (!isInside(tileX, across) || !isInside(map, maps)) return null;
    return isInside(row, rows) && isInside(column, columns) ? { map, row, column } : null;
  }
}

/** States as a picture, a pixel each, `low` as paper and `high` as ink. */
export function shaded(states, columns, [low, high], { paper, ink }, given) {
  const canvas = given ?? document.createElement("canvas");
  const units = new ImageData(columns, states.length / columns);
  states.forEach((state, at) => {
    const share = Math.min(1, Math.max(0, (state - low) / (high - low || 1)));
    for (let part = 0; part < 3; part++) {
      units.data[4 * at + part] = paper[part] + share * (ink[part] - paper[part]);
    }
    units.data[4 * at + 3] = 255;
  });
  const { width, height } = units;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(units, 0, 0);
  return canvas;
}
