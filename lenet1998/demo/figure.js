/** Fig. 2 of one reading: the states of every layer, and what made the unit that is pointed at. */

import { find } from "./dom.js";
import { fieldOf, inputsOf } from "./network.js";
import { Tiles } from "./tiles.js";
import { number, story } from "./words.js";

/** Tiles of a layer side by side, and the width of a unit in CSS pixels. */
const LAYOUT = {
  input: { across: 1, cell: 4 },
  c1: { across: 2, cell: 3 },
  s2: { across: 2, cell: 5 },
  c3: { across: 4, cell: 5 },
  s4: { across: 4, cell: 8 },
  c5: { across: 6, cell: 12 },
  f6: { across: 7, cell: 16 }, // as wide as a code
};
const SINGLE_UNITS_IN_A_ROW = 20;
const HINT = "Point at a unit: what it sees is framed, and the numbers that made it stand here.";

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const PAGES = { PageUp: -1, PageDown: 1 };

export class Figure {
  #codes;
  #sizes;
  #say;
  #tiles; // of the input, 0, and of each layer: as in the states of a reading
  #nearest; // the code beside F6
  #pointed = null; // {at, map, row, column} of a unit
  #shown; // what `show` was given

  /**
   * @param {Layer[]} layers of any network: all are as large
   * @param {{codes: Float64Array[], codeSize: object, sizes: object}} data
   * @param {(text: string) => void} say what the eye sees
   */
  constructor(layers, { codes, codeSize, sizes }, say) {
    this.#codes = codes;
    this.#sizes = sizes;
    this.#say = say;
    const below = { name: "input", maps: 1, side: sizes.field };
    this.#tiles = [below, ...layers.slice(0, -1)].map(({ name, maps, side }) =>
      new Tiles(find(`#${name} canvas`), { maps, rows: side, columns: side, ...LAYOUT[name] }),
    );
    this.#nearest = new Tiles(find("#code canvas"), { ...codeSize, cell: LAYOUT.f6.cell });
    this.#tiles.forEach((tile, at) => this.#listen(tile, at));
  }

  /** Show a reading, or that there is none, by a network. */
  show(network, reading, colours) {
    this.#shown = { network, reading, colours };
    const states = reading?.states;
    this.#tiles.forEach((tile, at) => {
      tile.paint(states?.[at], this.#range(network.layers[at - 1], states?.[at]), colours);
    });
    const hasCode = Boolean(reading) && network.rubbish !== null;
    this.#nearest.paint(hasCode ? this.#codes[reading.best] : null, [-1, 1], colours);
    find("#code figcaption").textContent = hasCode ? `code of ${reading.best}` : "code";
    this.#showUnit();
  }

  /** The states that are painted as paper and as ink. */
  #range(layer, states) {
    if (!layer) return [this.#sizes.background, this.#sizes.ink];
    if (layer.squash) return [-layer.squash.amplitude, layer.squash.amplitude];
    return states ? [Math.min(...states), Math.max(...states)] : [0, 1];
  }

  #showUnit() {
    const { network, reading } = this.#shown;
    const [unit, states] = [this.#pointed, reading?.states];
    if (unit) this.#frame(unit.at, unit, 1);
    const isShown = Boolean(states && unit?.at);
    find("#unit").classList.toggle("shown", isShown);
    find("#story").textContent = HINT;
    find("#blocks").replaceChildren();
    if (!isShown) return;

    const { at, map, row, column } = unit;
    const layer = network.layers[at - 1];
    const sum = inputsOf(layer, states[at - 1], map, row, column);
    const seen = fieldOf(network.layers, at, row, column, at - 1);
    for (const { source } of sum.blocks) this.#frame(at - 1, { map: source, ...seen }, seen.extent);
    if (at > 1) {
      const field = fieldOf(network.layers, at, row, column);
      this.#frame(0, { map: 0, ...field }, field.extent);
    }
    const state = states[at][(map * layer.side + row) * layer.side + column];
    find("#story").textContent = story(layer, unit, state, sum);
    find("#blocks").replaceChildren(...blocksOf(layer, network.layers[at - 2], sum.blocks));
  }

  /** Frame a square of units, and the tile that they are in. */
  #frame(at, { map, row, column }, extent) {
    const [tile, { accent }] = [this.#tiles[at], this.#shown.colours];
    if (tile.gap) tile.frame(map, accent, 2);
    tile.frame(map, accent, 2, { row, column, extent });
  }

  #point(unit) {
    if (JSON.stringify(unit) === JSON.stringify(this.#pointed)) return;
    this.#pointed = unit;
    this.show(...Object.values(this.#shown));
  }

  #listen(tile, at) {
    const { canvas } = tile;
    const listen = (type, listener) => canvas.addEventListener(type, listener);
    const under = (event) => {
      const unit = tile.unitAt(event.offsetX, event.offsetY);
      this.#point(unit && { at, ...unit });
    };
    listen("click", under); // a finger's too, where it does not scroll
    listen("pointermove", (event) => event.pointerType === "mouse" && under(event));
    listen("pointerleave", (event) => event.pointerType === "mouse" && this.#point(null));
    listen("focus", () => {
      if (canvas.matches(":focus-visible")) this.#point({ at, map: 0, row: 0, column: 0 });
    });
    listen("blur", () => this.#point(null));
    listen("keydown", (event) => {
      const unit = moved(this.#pointed ?? { map: 0, row: 0, column: 0 }, tile.plan, event.key);
      if (!unit) return;
      event.preventDefault();
      this.#point({ at, ...unit });
      this.#say(find("#story").textContent);
    });
  }
}

/** Where a key leads from a unit: through the units of its map, or to another map. */
function moved({ map, row, column }, { maps, rows, columns, across }, key) {
  const within = (value, size) => Math.min(size - 1, Math.max(0, value));
  if (key in PAGES) return { map: within(map + PAGES[key], maps), row, column };
  if (!(key in STEPS)) return null;
  const [down, right] = STEPS[key];
  if (rows * columns === 1) return { map: within(map + down * across + right, maps), row, column };
  return { map, row: within(row + down, rows), column: within(column + right, columns) };
}

/** The inputs of a unit and their weights as tables; those of single units in one. */
function blocksOf({ kernel }, below, blocks) {
  const name = below ? below.name.toUpperCase() : "input";
  const all = (what) => blocks.flatMap((block) => block[what]);
  const shown = kernel > 1 ? blocks : [{ values: all("values"), factors: all("factors") }];
  const across = kernel > 1 ? kernel : SINGLE_UNITS_IN_A_ROW;
  return shown.map(({ source, values, factors }) => {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.textContent = below && source !== undefined ? `${name}, map ${source}` : name;
    figure.append(caption, tableOf(values, across));
    if (factors.length) figure.append("×", tableOf(factors, across));
    return figure;
  });
}

function tableOf(values, across) {
  const table = document.createElement("table");
  const most = Math.max(...values.map(Math.abs)) || 1;
  let row;
  values.forEach((value, at) => {
    if (at % across === 0) row = table.insertRow();
    const cell = row.insertCell();
    cell.textContent = number(value);
    cell.style.setProperty("--strength", Math.abs(value) / most);
  });
  return table;
}
