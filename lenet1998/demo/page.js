/** The page: what is drawn is read by every network, and shown. */

import { find } from "./dom.js";
import { fromBase64, inputsOf, read, unpack } from "./network.js";
import { normalise, rasterise, rasteriseLine, toInput } from "./ink.js";
import { GRID, decode, encode } from "./strokes.js";
import { example, exampleOf } from "./examples.js";
import { fieldOfNumber, readNumber } from "./number.js";
import { Paper } from "./paper.js";
import { Figure } from "./figure.js";
import { Line } from "./line.js";
import { Tiles } from "./tiles.js";
import { rubbishPenalty, verdict, worth } from "./words.js";

const data = JSON.parse(find("#data").textContent);
const { sizes, digits, columns } = data;
const pen = Object.assign(data.pen, { finest: GRID / 100 });
const signs = (code) => Float64Array.from(code, (cell) => (cell === "#" ? 1 : -1));
const [codes, blank] = [data.codes.map(signs), signs(data.blank)];
const networks = data.networks.map((network) => unpack(network, codes));
const codeSize = { maps: 1, rows: codes[0].length / columns, columns, across: 1 };

// A bar is as long as the distance, the root of a penalty, beside that of the codes farthest apart.
const distance = (one, other) => Math.hypot(...one.map((value, unit) => value - other[unit]));
const longest = Math.max(...codes.flatMap((one) => codes.map((other) => distance(one, other))));

let chosen = 0; // of the networks
let readings = []; // one by each network; none where nothing is drawn
let colours;

const paper = new Paper(find("#paper"), GRID, {
  change: inNextFrame(() => {
    readAll();
    show();
  }),
  done: finish,
  say,
});
const lineHigh = GRID / data.lineAspect;
const line = data.line && new Line(unpack(data.line, [...codes, blank]), data, lineHigh, {
  change: inNextFrame(() => {
    line.read();
    showLine();
  }),
  done: finishLine,
  say,
});
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

/** Work to be done in the next frame, once, however many points come before it. */
function inNextFrame(work) {
  let frame = null;
  return () => {
    frame ??= requestAnimationFrame(() => {
      frame = null;
      work();
    });
  };
}

/** A stroke has ended, or the drawing is another: say the answer, and keep it in the address. */
function finish() {
  readAll();
  show();
  say(verdict(networks[chosen], readings[chosen]));
  keep();
}

function finishLine() {
  line.read();
  showLine();
  say(line.verdict);
  keep();
}

/** Both drawings in the address; the browser takes its time for it: first the answer is shown. */
function keep() {
  document.querySelectorAll(".note").forEach((note) => (note.textContent = ""));
  const number = line?.paper.strokes.length ? `~${encode(line.paper.strokes)}` : "";
  const link = encode(paper.strokes) + number;
  const address = location.pathname + location.search + (link && `#${link}`);
  setTimeout(() => history.replaceState(null, "", address));
}

function say(text) {
  find("#said").textContent = text;
}

// Showing

function show() {
  showPaper("", paper);
  showAnswer();
  showNetworks();
  figure.show(networks[chosen], readings[chosen], colours);
}

function showLine() {
  if (!line) return;
  showPaper("line-", line.paper);
  line.show(colours);
}

/** A drawing, and which tools it is of use for; their names begin with a prefix. */
function showPaper(prefix, paper) {
  const canvas = find(`#${prefix}paper`);
  paper.paintOn(canvas, canvas.clientWidth * (window.devicePixelRatio || 1), colours, sizes.image);
  find(`#${prefix}drawing`).classList.toggle("empty", paper.isEmpty);
  for (const tool of ["undo", "clear", "save"]) find(`#${prefix}${tool}`).disabled = paper.isEmpty;
  find(`#${prefix}copy`).disabled = !paper.strokes.length;
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

function offerTools(prefix, paper, exampleOn, file, width) {
  listen(`#${prefix}undo`, () => paper.undo());
  listen(`#${prefix}clear`, () => paper.show([]));
  listen(`#${prefix}copy`, async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      say("Link copied.");
    } catch {
      say("Copy the link from the address bar.");
    }
    find(`#${prefix}note`).textContent = find("#said").textContent;
  });
  listen(`#${prefix}save`, () => {
    const canvas = document.createElement("canvas");
    paper.paintOn(canvas, width, { paper: [255, 255, 255], ink: [0, 0, 0] }, sizes.image);
    const link = document.createElement("a");
    Object.assign(link, { href: canvas.toDataURL(), download: file }).click();
  });
  document.querySelectorAll(`#${prefix}examples button`).forEach((button) => {
    button.addEventListener("click", () => paper.show(exampleOn(button.textContent)));
  });
}
offerTools("", paper, example, "digit.png", 512);
if (line) {
  offerTools("line-", line.paper, (text) => exampleOf(text, lineHigh), "number.png", 1024);
  listen("#to-line", () => find("#line-paper").focus());
}

document.querySelectorAll("#networks input").forEach((input, at) => {
  input.addEventListener("change", () => {
    chosen = at;
    showTexts();
    show();
    showGallery();
    say(verdict(networks[chosen], readings[chosen]));
  });
});

// The gallery

find("#gallery")?.addEventListener("toggle", showGallery);

/** Beside each digit's label the answer of 1998, below them that of the network chosen. */
function showGallery() {
  if (!find("#gallery")?.open) return;
  const network = networks[chosen];
  const plan = { maps: 1, rows: sizes.image, columns: sizes.image, across: 1, cell: 1.5 };
  let wrong = 0;
  const buttons = data.gallery.map((digit) => {
    const pixels = unbox(digit);
    const ours = read(network, toInput(pixels, sizes)).answer;
    const [button, canvas, below] = ["button", "canvas", "span"].map((name) =>
      document.createElement(name),
    );
    new Tiles(canvas, plan).paint(pixels, [0, 255], colours);
    below.textContent = ours ?? "none";
    below.classList.toggle("wrong", ours !== digit.label);
    wrong += ours !== digit.label;
    button.append(canvas, `${digit.label}→${digit.answer}`, below);
    const answers = `1998 read as ${digit.answer}, and ${network.name} reads as ${ours ?? "none"}`;
    button.setAttribute("aria-label", `A ${digit.label} that ${answers}`);
    button.addEventListener("click", () => paper.show([], pixels));
    return button;
  });
  const count = `which reads ${wrong} of the ${buttons.length} as another digit or as none`;
  find("#gallery p").textContent =
    `What it is → what 1998 read; below it the answer of ${network.name}, ${count}.`;
  find("#gallery div").replaceChildren(...buttons);
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
  showAll();
  showGallery();
}

function showAll() {
  show();
  showLine();
}

const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", repaint);
listen("#theme", () => {
  const root = document.documentElement;
  const isDark = root.style.colorScheme ? root.style.colorScheme === "dark" : dark.matches;
  root.style.colorScheme = isDark ? "light" : "dark";
  repaint();
});
addEventListener("resize", showAll);

/** Draw what the address holds; what no drawing of ours has written there is left alone. */
function restore() {
  const [digit, ...numbers] = location.hash.slice(1).split("~");
  const strokes = digit || !numbers.length ? decode(digit) : [];
  const ofLine = numbers.length ? decode(numbers.join("~"), lineHigh) : [];
  if (!strokes || !ofLine) return;
  const drawn = [[line?.paper, ofLine], [paper, strokes]];
  for (const [each, those] of drawn) if (those.length || each?.isEmpty === false) each?.show(those);
}
addEventListener("hashchange", restore);

showTexts();
repaint();
restore();

/** For the console: `lenet1998.read(lenet1998.networks[0], lenet1998.inputOf({ strokes }))`. */
globalThis.lenet1998 = {
  ...{ networks, sizes, pen, paper, line, example, exampleOf },
  ...{ rasteriseLine, inputOf, rasterise, normalise, read, inputsOf, fieldOfNumber, readNumber },
};
