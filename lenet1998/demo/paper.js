/** What is drawn on: by mouse, pen, finger or keys. */

import { GRID, MOST_POINTS, countPoints } from "./strokes.js";

/** Of a paper's height: the pen on the screen, a step of the keys, what a stroke's point is worth. */
export const PEN = 1 / 22;
const STEP = 1 / 40;
const NEAR = 1 / 150;

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Paper {
  /** @type {Stroke[]} */
  strokes = [];
  /** A digit of the gallery, 28x28, in the strokes' place. @type {?Uint8Array} */
  pixels = null;
  #canvas;
  #high;
  #on;
  #pointer = null; // that draws; a second finger does not
  #pen; // of the keys
  #isDown = false;
  #held = new Set(); // arrows

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} high on the grid, which is as wide as the paper
   * @param {{change: () => void, done: () => void, say: (text: string) => void}} on
   *   called with every movement of a pen; when a stroke ends or is undone; with what the eye sees
   */
  constructor(canvas, high, on) {
    this.#canvas = canvas;
    this.#high = high;
    this.#pen = [high / 2, high / 4];
    this.#on = on;
    const listen = (type, listener) => canvas.addEventListener(type, listener);
    listen("pointerdown", (event) => this.#press(event));
    listen("pointermove", (event) => this.#move(event));
    listen("pointerup", (event) => this.#release(event));
    listen("pointercancel", (event) => this.#release(event));
    listen("keydown", (event) => this.#key(event));
    listen("keyup", (event) => this.#held.delete(event.key));
    listen("focus", () => on.change());
    listen("blur", () => {
      this.#held.clear();
      this.#lift();
      on.change();
    });
  }

  get isEmpty() {
    return !this.pixels && this.strokes.length === 0;
  }

  /** Put another drawing in the place of this one. */
  show(strokes, pixels = null) {
    Object.assign(this, { strokes, pixels });
    this.#isDown = false;
    this.#pointer = null;
    this.#on.done();
  }

  undo() {
    this.show(this.strokes.slice(0, -1));
  }

  #press(event) {
    if (this.#pointer !== null || event.button !== 0) return;
    this.#lift();
    this.#pointer = event.pointerId;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#begin(this.#place(event));
  }

  #move(event) {
    if (event.pointerId !== this.#pointer) return;
    const between = event.getCoalescedEvents?.() ?? []; // none where a browser makes none
    for (const each of [...between, event]) this.#draw(this.#place(each));
  }

  #release(event) {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = null;
    this.#on.done();
  }

  #key(event) {
    if (event.key in ARROWS) {
      this.#held.add(event.key);
      const step = this.#high * (event.shiftKey ? STEP / 4 : STEP);
      const ways = [...this.#held].map((key) => ARROWS[key]); // two at once lead aslant
      this.#pen = this.#pen.map((at, axis) =>
        this.#onGrid(ways.reduce((sum, way) => sum + step * way[axis], at), axis),
      );
      if (this.#isDown) this.#draw(this.#pen);
      else this.#on.change();
    } else if (event.key === " " && this.#isDown) {
      this.#lift();
    } else if (event.key === " ") {
      this.#begin(this.#pen);
      this.#isDown = true;
      this.#on.say("Pen down.");
    } else if (event.key === "Backspace") {
      this.undo();
    } else if (event.key === "Delete") {
      this.show([]);
    } else return;
    event.preventDefault();
  }

  #begin(point) {
    if (this.pixels) Object.assign(this, { strokes: [], pixels: null });
    if (countPoints(this.strokes) < MOST_POINTS) this.strokes = [...this.strokes, [point]];
    this.#on.change();
  }

  /** Go on with the last stroke; a point near its last one says nothing new. */
  #draw(point) {
    const stroke = this.strokes.at(-1);
    const [x, y] = stroke.at(-1);
    if (Math.hypot(point[0] - x, point[1] - y) < NEAR * this.#high) return;
    if (countPoints(this.strokes) >= MOST_POINTS) return;
    stroke.push(point);
    this.#on.change();
  }

  #lift() {
    if (!this.#isDown) return;
    this.#isDown = false;
    this.#on.done();
  }

  #place({ clientX, clientY }) {
    const { left, top, width } = this.#canvas.getBoundingClientRect();
    return [clientX - left, clientY - top].map((at, axis) =>
      this.#onGrid((at * GRID) / width, axis),
    );
  }

  #onGrid(value, axis) {
    return Math.round(Math.min(axis ? this.#high : GRID, Math.max(0, value)));
  }

  /** The drawing on a canvas so many of its pixels wide. */
  paintOn(canvas, width, colours, image) {
    const [across, down] = [width, (width * this.#high) / GRID].map(Math.round);
    if (canvas.width !== across || canvas.height !== down) {
      Object.assign(canvas, { width: across, height: down });
    }
    this.paint(canvas.getContext("2d"), across, colours, image);
  }

  /** Paint the drawing, and the pen of the keys where the canvas has the focus. */
  paint(brush, side, { paper, ink, accent }, image) {
    const scale = side / GRID;
    const pen = PEN * this.#high * scale;
    brush.fillStyle = `rgb(${paper})`;
    brush.fillRect(0, 0, side, this.#high * scale);
    brush.fillStyle = brush.strokeStyle = `rgb(${ink})`;
    const edge = (pixel) => Math.round((pixel * side) / image);
    this.pixels?.forEach((level, at) => {
      const [row, column] = [Math.floor(at / image), at % image];
      const [x, y] = [edge(column), edge(row)];
      brush.globalAlpha = level / 255;
      brush.fillRect(x, y, edge(column + 1) - x, edge(row + 1) - y);
    });
    brush.globalAlpha = 1;
    brush.lineWidth = pen;
    brush.lineCap = brush.lineJoin = "round";
    for (const [first, ...others] of this.strokes) {
      brush.beginPath();
      brush.moveTo(first[0] * scale, first[1] * scale);
      for (const [x, y] of others.length ? others : [first]) brush.lineTo(x * scale, y * scale);
      brush.stroke();
    }
    if (!this.#canvas.matches(":focus-visible")) return;
    brush.strokeStyle = accent;
    brush.lineWidth = this.#isDown ? 3 : 1.5;
    brush.beginPath();
    brush.arc(this.#pen[0] * scale, this.#pen[1] * scale, pen / 2 + 2, 0, 2 * Math.PI);
    brush.stroke();
  }
}
