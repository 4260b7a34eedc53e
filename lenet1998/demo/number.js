/** A number: digits drawn side by side, read by a network along the field (section VII). */

import { forward } from "./network.js";
import { rasteriseLine, toField } from "./ink.js";

/** The field of strokes, at least one; null where they stand in no row. */
export function fieldOfNumber(strokes, pen, sizes) {
  return toField(rasteriseLine(strokes, pen, sizes), pen, sizes);
}

/**
 * What the best path spells: the best class of each output, repeats merged, without the gaps.
 *
 * A gap is what the blank, the last class, and the rubbish class take together.
 *
 * @param {Network} network as `alongField` makes it, of classes that end with the blank
 * @returns the states of all layers; the penalties, class by class; of each digit the outputs on
 *   the path, the column in the middle of what they see, and its least penalty; the path's penalty
 */
export function readNumber(network, levels, { field }) {
  const states = forward(network, levels);
  const penalties = states.at(-1);
  const classes = network.layers.at(-1).maps;
  const outputs = penalties.length / classes;
  const every = network.layers.reduce((product, { step }) => product * step, 1);
  const digits = [];
  let [penalty, before] = [0, null];
  for (let at = 0; at < outputs; at++) {
    const scores = Array.from({ length: classes }, (_, which) =>
      network.factor * penalties[which * outputs + at],
    );
    scores.push(logSum([scores.pop(), network.rubbish]));
    const best = scores.indexOf(Math.max(...scores));
    penalty += logSum(scores) - scores[best];
    if (best < classes - 1) {
      if (best !== before) digits.push({ digit: best, first: at, penalty: Infinity });
      const digit = digits.at(-1);
      digit.end = at + 1;
      digit.column = (every * (digit.first + at) + field - 1) / 2;
      digit.penalty = Math.min(digit.penalty, penalties[best * outputs + at]);
    }
    before = best;
  }
  return { states, penalties, outputs, every, digits, penalty };
}

function logSum(values) {
  const most = Math.max(...values);
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
}
