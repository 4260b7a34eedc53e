/** The page: what is drawn is read by every network, and shown. */

import { fieldOf, inputsOf, read, unpack } from "./network.js";
import { normalise, rasterise, toInput } from "./ink.js";
import { GRID, decode, encode } from "./strokes.js";
import { example } from "./examples.js";
import { Paper } from "./paper.js";
import { Tiles } from "./tiles.js";
import { number, rubbishPenalty, story, verdict, worth } from "./words.js";

const find = (selector) => document.querySelector(selector);
const data = JSON.parse(find("#data").textContent);
const { sizes, digits, columns } = data;
const pen = { ...data.pen, finest: GRID / 100 };
const codes = data.codes.map((code) => Float64Array.from(code, (cell) => (cell === "#" ? 1 : -1)));
const networks = data.networks.map((network) => unpack(network, codes));

/** How a layer is laid out: tiles side by side, and the width of a unit in CSS pixels. */
const LAYOUT = {
  input: { across: 1, cell: 4 },
  c1: { across: 2, cell: 3 },
  s2: { across: 2, cell: 5 },
  c3: { across: 4, cell: 5 },
  s4: { across: 4, cell: 8 },
  c5: { across: 6, cell: 12 },
  f6: { across: columns, cell: 16 },
};

// Layers count from the input, 0, so that states[n] are those of the n-th.
const layers = [{ name: "input", maps: 1, side: sizes.field }, ...networks[0].layers.slice(0, -1)];
const tiles = layers.map(({ name, maps, side }) =>
  new Tiles(find(`#${name} canvas`), { maps, rows: side, columns: side, ...LAYOUT[name] }),
);
const bitmap = { maps: 1, rows: codes[0].length / columns, columns, across: 1 };
const nearest = new Tiles(find("#code canvas"), { ...bitmap, cell: LAYOUT.f6.cell });
const classes = [...find("#classes").rows].map((row) => ({
  row,
  code: row.dataset.digit && new Tiles(row.querySelector("canvas"), { ...bitmap, cell: 2 }),
}));

// A bar is as long as the distance, the root of a penalty, beside that of the codes farthest apart.
const distance = (one, other) => Math.hypot(...one.map((value, unit) => value - other[unit]));
const longest = Math.max(...codes.flatMap((one) => codes.map((other) => distance(one, other))));

let chosen = 0; // of the networks
let readings = []; // one by each network; none where nothing is drawn
let pointed = null; // {at, map, row, column} of a unit
let asked = null; // a class whose code is shown, in the nearest one's place
let colours;

// Reading

/** The network's input of a drawing; null where nothing is drawn. */
function inputOf({ strokes, pixels }) {
  if (!pixels && !strokes.length) return null;
  const picture = pixels ?? normalise(rasterise(strokes, pen), sizes);
  return toInput(picture, sizes);
}

function readAll() {
  const input = inputOf(paper);
  readings = input ? networks.map((network) => read(network, input)) : [];
}

const paper = new Paper(find("#paper"), { change: later, done: finish, say });

/** Read and show in the next frame, however many points come before it. */
function later() {
  later.frame ??= requestAnimationFrame(() => {
    later.frame = null;
    readAll();
    show();
  });
}

/**
 * A stroke has ended, or the drawing is another: say the answer, and keep the drawing in the address.
 *
 * The browser takes its time for the latter: first the answer is shown.
 */
function finish() {
  readAll();
  show();
  say(verdict(networks[chosen], readings[chosen]));
  const link = paper.strokes.length ? `#${encode(paper.strokes)}` : "";
  setTimeout(() => history.replaceState(null, "", location.pathname + location.search + link));
}

function say(text) {
  find("#said").textContent = text;
}

// Showing

function show() {
  showPaper();
  showAnswer();
  showNetworks();
  showLayers();
}

function showPaper() {
  const canvas = find("#paper");
  const side = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1));
  if (canvas.width !== side) canvas.width = canvas.height = side;
  paper.paint(canvas.getContext("2d"), side, colours, sizes.image);
  find("#drawing").classList.toggle("empty", paper.isEmpty);
  find("#undo").disabled = find("#clear").disabled = paper.isEmpty;
  find("#save").disabled = paper.isEmpty;
  find("#copy").disabled = !paper.strokes.length;
}

function showAnswer() {
  const [network, reading] = [networks[chosen], readings[chosen]];
  const hasCodes = network.rubbish !== null;
  find("#numeral").textContent = reading ? (reading.answer ?? "?") : "";
  find("#verdict").textContent = verdict(network, reading);
  find("#reading").classList.toggle("codes", hasCodes);
  classes.forEach(({ row, code }, digit) => {
    const isRubbish = !code;
    const share = isRubbish
      ? Math.sqrt(rubbishPenalty(network)) / longest
      : reading && (hasCodes ? Math.sqrt(reading.outputs[digit]) / longest : reading.probabilities[digit]);
    row.style.setProperty("--share", Math.min(1, share || 0));
    row.classList.toggle("wins", Boolean(reading) && reading.answer === (isRubbish ? null : digit));
    row.classList.toggle("second", reading?.second === digit && reading.answer !== null);
    const value = isRubbish ? hasCodes && number(rubbishPenalty(network), 1) : reading && worth(network, reading, digit);
    row.querySelector(".worth").textContent = value || "";
  });
}

function showNetworks() {
  document.querySelectorAll("#networks tbody tr").forEach((row, at) => {
    const reading = readings[at];
    row.querySelector(".answer").textContent = reading ? (reading.answer ?? "none") : "–";
    row.querySelector(".worth").textContent = reading ? worth(networks[at], reading, reading.best) : "";
  });
}

function showLayers() {
  const network = networks[chosen];
  const states = readings[chosen]?.states;
  tiles.forEach((tile, at) => {
    const [low, high] = range(network.layers[at - 1], states?.[at]);
    tile.paint(states?.[at], low, high, colours);
  });
  const shownClass = asked ?? readings[chosen]?.best;
  const isShown = network.rubbish !== null && shownClass !== undefined;
  nearest.paint(isShown ? codes[shownClass] : null, -1, 1, colours);
  find("#code figcaption").textContent = isShown ? `code of ${digits[shownClass]}` : "code";
  showUnit();
}

/** The states that are painted as paper and as ink. */
function range(layer, states) {
  if (!layer) return [sizes.background, sizes.ink];
  if (layer.squash) return [-layer.squash.amplitude, layer.squash.amplitude];
  return states ? [Math.min(...states), Math.max(...states)] : [0, 1];
}

// Pointing at a unit

function showUnit() {
  const panel = find("#unit");
  const states = readings[chosen]?.states;
  const isShown = pointed !== null && pointed.at > 0 && Boolean(states);
  panel.classList.toggle("shown", isShown);
  if (pointed) frame(tiles[pointed.at], pointed, 1);
  if (!isShown) {
    find("#story").textContent = "Point at a unit: what it sees is framed, and the numbers that made it stand here.";
    find("#blocks").replaceChildren();
    return;
  }
  const { at, map, row, column } = pointed;
  const layer = networks[chosen].layers[at - 1];
  const sum = inputsOf(layer, states[at - 1], map, row, column);
  const below = fieldOf(networks[chosen].layers, at, row, column, at - 1);
  for (const { source } of sum.blocks) frame(tiles[at - 1], { map: source, row: below.top, column: below.left }, below.extent);
  if (at > 1) {
    const { top, left, extent } = fieldOf(networks[chosen].layers, at, row, column);
    frame(tiles[0], { map: 0, row: top, column: left }, extent);
  }
  find("#story").textContent = story(layer, pointed, states[at][(map * layer.side + row) * layer.side + column], sum);
  find("#blocks").replaceChildren(...blocksOf(layer, layers[at - 1], sum.blocks));
}

/** Frame a square of units, and the tile that they are in. */
function frame(tile, { map, row, column }, extent) {
  const { rows, columns } = tile.plan;
  if (tile.gap) tile.frame(map, 0, 0, rows, columns, colours.accent, 2);
  tile.frame(map, row, column, extent, extent, colours.accent, 2);
}

/** The inputs and their weights as tables; of single units all in one. */
function blocksOf(layer, below, blocks) {
  const name = below.name === "input" ? "input" : below.name.toUpperCase();
  const one = { source: null, values: blocks.flatMap((b) => b.values), factors: blocks.flatMap((b) => b.factors) };
  const wide = layer.kernel > 1 ? layer.kernel : 20;
  return (layer.kernel > 1 ? blocks : [one]).map(({ source, values, factors }) => {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.textContent = source === null || below.maps === 1 ? name : `${name}, map ${source}`;
    figure.append(caption, table(values, wide));
    if (factors.length) figure.append("×", table(factors, wide));
    return figure;
  });
}

function table(values, wide) {
  const element = document.createElement("table");
  const most = Math.max(...values.map(Math.abs)) || 1;
  values.forEach((value, at) => {
    if (at % wide === 0) element.insertRow();
    const cell = element.rows[element.rows.length - 1].insertCell();
    cell.textContent = number(value);
    cell.style.setProperty("--strength", Math.abs(value) / most);
  });
  return element;
}

function point(unit) {
  if (JSON.stringify(unit) === JSON.stringify(pointed)) return;
  pointed = unit;
  showLayers();
}

tiles.forEach((tile, at) => {
  const { canvas, plan } = tile;
  const under = (event) => {
    const unit = tile.unitAt(event);
    point(unit && { at, ...unit });
  };
  canvas.addEventListener("pointermove", (event) => event.pointerType === "mouse" && under(event));
  canvas.addEventListener("click", under);
  canvas.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse" && document.activeElement !== canvas) point(null);
  });
  canvas.addEventListener("focus", () => {
    if (canvas.matches(":focus-visible")) point({ at, map: 0, row: 0, column: 0 });
  });
  canvas.addEventListener("blur", () => point(null));
  canvas.addEventListener("keydown", (event) => {
    const unit = pointed?.at === at && moved(pointed, plan, event.key);
    if (!unit) return;
    event.preventDefault();
    point(unit);
    if (unit && readings.length && at) say(find("#story").textContent);
  });
});

/** Where a key leads from a unit: through the units of a map, then to the next map. */
function moved({ at, map, row, column }, { maps, rows, columns, across }, key) {
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const pages = { PageUp: -1, PageDown: 1 };
  const clamp = (value, size) => Math.min(size - 1, Math.max(0, value));
  if (key in pages) return { at, map: clamp(map + pages[key], maps), row, column };
  if (!(key in steps)) return null;
  const [down, right] = steps[key];
  if (rows * columns === 1) return { at, map: clamp(map + down * across + right, maps), row, column };
  return { at, map, row: clamp(row + down, rows), column: clamp(column + right, columns) };
}

classes.forEach(({ row, code }, digit) => {
  if (!code) return;
  const ask = (which) => {
    asked = which;
    showLayers();
  };
  row.addEventListener("pointerenter", () => ask(digit));
  row.addEventListener("pointerleave", () => ask(null));
});

// Tools

const listen = (selector, listener) => find(selector).addEventListener("click", listener);

listen("#undo", () => paper.undo());
listen("#clear", () => paper.show([]));
listen("#copy", async () => {
  try {
    await navigator.clipboard.writeText(location.href);
    say("Link copied.");
  } catch {
    say("Copy the link from the address bar.");
  }
  find("#note").textContent = find("#said").textContent;
});
listen("#save", () => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 512;
  const onPaper = { paper: [255, 255, 255], ink: [0, 0, 0] };
  paper.paint(canvas.getContext("2d"), canvas.width, onPaper, sizes.image);
  canvas.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = "digit.png";
    link.click();
    URL.revokeObjectURL(link.href);
  });
});
document.querySelectorAll("#examples button").forEach((button, digit) => {
  button.addEventListener("click", () => paper.show(example(digit)));
});

document.querySelectorAll("#networks input").forEach((input, at) => {
  input.addEventListener("change", () => {
    chosen = at;
    showTexts();
    show();
    say(verdict(networks[chosen], readings[chosen]));
  });
});

function showTexts() {
  for (const { name, operation, text } of networks[chosen].layers) {
    find(`#${name} .operation`).textContent = operation;
    find(`#${name} .text`).textContent = text;
  }
}

// The gallery

find("#gallery")?.addEventListener("toggle", fillGallery, { once: true });

function fillGallery() {
  find("#gallery div").append(...data.gallery.map((digit) => {
    const pixels = unbox(digit);
    const button = document.createElement("button");
    const canvas = document.createElement("canvas");
    const side = sizes.image;
    new Tiles(canvas, { maps: 1, rows: side, columns: side, across: 1, cell: 1.5 }).paint(pixels, 0, 255, colours);
    button.append(canvas, `${digit.label}→${digit.answer}`);
    button.setAttribute("aria-label", `A ${digit.label} that 1998 read as ${digit.answer}`);
    button.addEventListener("click", () => paper.show([], pixels));
    return button;
  }));
}

/** The whole of a digit of which the box around its ink is kept. */
function unbox({ top, left, pixels }) {
  const { image, box } = sizes;
  const whole = new Uint8Array(image * image);
  [...atob(pixels)].forEach((letter, at) => {
    whole[(top + Math.floor(at / box)) * image + left + (at % box)] = letter.charCodeAt(0);
  });
  return whole;
}

// The look

/** The colours as they are now, for what is painted. */
function takeColours() {
  const style = getComputedStyle(document.documentElement);
  const [paper, ink, line, accent] = ["paper", "ink", "line", "accent"].map((name) => style.getPropertyValue(`--${name}`));
  const parts = (colour) => colour.match(/[\d.]+/g).slice(0, 3).map(Number);
  colours = { paper: parts(paper), ink: parts(ink), line, accent };
}

function repaint() {
  takeColours();
  classes.forEach(({ code }, digit) => code?.paint(codes[digit], -1, 1, colours));
  show();
}

const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", repaint);
listen("#theme", () => {
  const root = document.documentElement;
  const isDark = root.style.colorScheme ? root.style.colorScheme === "dark" : dark.matches;
  root.style.colorScheme = isDark ? "light" : "dark";
  repaint();
});
addEventListener("resize", show);

/** Draw what the address holds; what no drawing of ours has written there is left alone. */
function restore() {
  const strokes = decode(location.hash.slice(1));
  if (strokes) paper.show(strokes);
}
addEventListener("hashchange", restore);

showTexts();
repaint();
restore();

/** For the console: `lenet1998.read(lenet1998.networks[0], lenet1998.inputOf({ strokes }))`. */
globalThis.lenet1998 = { networks, sizes, pen, example, inputOf, rasterise, normalise, toInput, read, inputsOf, paper };
