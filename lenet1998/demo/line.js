/** The wide paper, and what the network of section VII reads on it. */

import { find } from "./dom.js";
import { alongField } from "./network.js";
import { fieldOfNumber, readNumber } from "./number.js";
import { PEN, Paper } from "./paper.js";
import { paintStrip } from "./strip.js";
import { number, verdictOfNumber } from "./words.js";

export class Line {
  reading = null;

  /**
   * @param {Network} network that reads numbers
   * @param {object} data the page's: its sizes, pen, characters, columns of a code
   * @param {number} high of the paper, on the grid
   * @param {{change: () => void, done: () => void, say: (text: string) => void}} on as `Paper`'s
   */
  constructor(network, data, high, on) {
    this.network = alongField(network);
    this.paper = new Paper(find("#line-paper"), high, on);
    this.data = data;
    // Digits lower than an eighth of the paper are drawn as small as they are.
    Object.assign(data.pen, { drawn: PEN * high, least: high / 8 });
  }

  get verdict() {
    return verdictOfNumber(this.reading, this.paper.isEmpty);
  }

  read() {
    const [{ strokes }, { pen, sizes }] = [this.paper, this.data];
    const field = strokes.length ? fieldOfNumber(strokes, pen, sizes) : null;
    this.reading = field && readNumber(this.network, field, sizes);
  }

  show(colours) {
    const { columns, sizes, digits } = this.data;
    const f6 = this.network.layers.at(-2);
    find("#line-text").textContent = this.reading?.digits.map(({ digit }) => digit).join("") ?? "";
    find("#line-verdict").textContent = this.verdict;
    find("#places").replaceChildren(
      ...(this.reading?.digits ?? []).map(({ digit, column, penalty }) => {
        const item = document.createElement("li");
        item.textContent = `${digit} at column ${number(column, 1)}, penalty ${number(penalty, 1)}`;
        return item;
      }),
    );
    const plan = {
      classes: [...digits, "gap"],
      rows: f6.maps / columns,
      columns,
      field: sizes.field,
      levels: [sizes.background, sizes.ink],
      amplitude: f6.squash.amplitude,
    };
    paintStrip(find("#strip"), this.reading, plan, colours);
  }
}
