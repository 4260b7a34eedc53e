/** The page: what is drawn is read by every network, and shown. */

import { find } from "./dom.js";
import { fromBase64, inputsOf, read, unpack } from "./network.js";
import { normalise, rasterise, toInput } from "./ink.js";
import { GRID, decode, encode } from "./strokes.js";
import { example } from "./examples.js";
import { Paper } from "./paper.js";
import { Figure } from "./figure.js";
import { Tiles } from "./tiles.js";
import { rubbishPenalty, verdict, worth } from "./words.js";

const data = JSON.parse(find("#data").textContent);
const { sizes, digits, columns } = data;
const pen = { ...data.pen, finest: GRID / 100 };
const codes = data.codes.map((code) => Float64Array.from(code, (cell) => (cell === "#" ? 1 : -1)));
const networks = data.networks.map((network) => unpack(network, codes));
const codeSize = { maps: 1, rows: codes[0].length / columns, columns, across: 1 };

// A bar is as long as the distance, the root of a penalty, beside that of the codes farthest apart.
const distance = (one, other) => Math.hypot(...one.map((value, unit) => value - other[unit]));
const longest = Math.max(...codes.flatMap((one) => codes.map((other) => distance(one, other))));

let chosen = 0; // of the networks
let readings = []; // one by each network; none where nothing is drawn
let frame = null; // that is asked for
let colours;

const paper = new Paper(find("#paper"), { change: later, done: finish, say });
const figure = new Figure(networks[0].layers, { codes, codeSize, sizes }, say);
const classes = [...find("#classes").rows]; // the last is the rubbish class
const codePictures = [...digits].map(
  (_, digit) => new Tiles(classes[digit].querySelector("canvas"), { ...codeSize, cell: 2 }),
);

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

/** Read and show in the next frame, however many points come before it. */
function later() {
  frame ??= requestAnimationFrame(() => {
    frame = null;
    readAll();
    show();
  });
}

/**
 * A stroke has ended, or the drawing is another: say the answer, and keep it in the address.
 *
 * The browser takes its time for the latter: first the answer is shown.
 */
function finish() {
  readAll();
  show();
  say(verdict(networks[chosen], readings[chosen]));
  find("#note").textContent = "";
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
  figure.show(networks[chosen], readings[chosen], colours);
}

function showPaper() {
  const canvas = find("#paper");
  const side = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1));
  if (canvas.width !== side) canvas.width = canvas.height = side;
  paper.paint(canvas.getContext("2d"), side, colours, sizes.image);
  find("#drawing").classList.toggle("empty", paper.isEmpty);
  for (const tool of ["undo", "clear", "save"]) find(`#${tool}`).disabled = paper.isEmpty;
  find("#copy").disabled = !paper.strokes.length;
}

function showAnswer() {
  const [network, reading] = [networks[chosen], readings[chosen]];
  find("#numeral").textContent = reading ? (reading.answer ?? "?") : "";
  find("#verdict").textContent = verdict(network, reading);
  find("#reading").classList.toggle("codes", network.rubbish !== null);
  classes.forEach((row, place) => {
    const digit = place < digits.length ? place : null;
    row.style.setProperty("--share", share(network, reading, digit));
    row.classList.toggle("wins", reading?.answer === digit);
    row.classList.toggle("second", reading?.second === digit && reading.answer !== null);
    row.querySelector(".worth").textContent = worth(network, reading, digit);
  });
}

/** How much of its cell a class's bar takes: by the distance to its code, or its probability. */
function share(network, reading, digit) {
  if (network.rubbish === null) return reading?.probabilities[digit] ?? 0;
  const penalty = digit === null ? rubbishPenalty(network) : (reading?.outputs[digit] ?? 0);
  return Math.min(1, Math.sqrt(penalty) / longest);
}

function showNetworks() {
  document.querySelectorAll("#networks tbody tr").forEach((row, at) => {
    const reading = readings[at];
    row.querySelector(".answer").textContent = reading ? (reading.answer ?? "none") : "–";
    row.querySelector(".worth").textContent = worth(networks[at], reading, reading?.best);
  });
}

function showTexts() {
  for (const { name, operation, text } of networks[chosen].layers) {
    find(`#${name} .operation`).textContent = operation;
    find(`#${name} .text`).textContent = text;
  }
}

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
  const link = document.createElement("a");
  Object.assign(link, { href: canvas.toDataURL(), download: "digit.png" }).click();
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

// The gallery

find("#gallery")?.addEventListener("toggle", fillGallery, { once: true });

function fillGallery() {
  find("#gallery div").append(...data.gallery.map((digit) => {
    const pixels = unbox(digit);
    const button = document.createElement("button");
    const canvas = document.createElement("canvas");
    const plan = { maps: 1, rows: sizes.image, columns: sizes.image, across: 1, cell: 1.5 };
    new Tiles(canvas, plan).paint(pixels, [0, 255], colours);
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
  fromBase64(pixels).forEach((level, at) => {
    whole[(top + Math.floor(at / box)) * image + left + (at % box)] = level;
  });
  return whole;
}

// The look

/** The colours as they are now, for what is painted. */
function takeColours() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`);
  const parts = (name) => colour(name).match(/[\d.]+/g).slice(0, 3).map(Number);
  const [line, accent] = [colour("line"), colour("accent")];
  colours = { paper: parts("paper"), ink: parts("ink"), line, accent };
}

function repaint() {
  takeColours();
  codePictures.forEach((picture, digit) => picture.paint(codes[digit], [-1, 1], colours));
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
globalThis.lenet1998 = {
  ...{ networks, sizes, pen, paper, example },
  ...{ inputOf, rasterise, normalise, read, inputsOf },
};
