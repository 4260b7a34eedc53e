/** What the page says of a reading and of a unit, in words. */

/** A number as it is printed: a true minus sign, no negative zero. */
export function number(value, places = 2) {
  const text = value.toFixed(places);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/** What a class got: its penalty, or its probability from a network that has no penalties. */
export function worth(network, reading, digit) {
  if (network.rubbish === null) return `${number(100 * reading.probabilities[digit], 1)} %`;
  return number(reading.outputs[digit], 1);
}

/** The penalty that the rubbish class has with every picture. */
export function rubbishPenalty(network) {
  return network.rubbish / network.factor;
}

export function verdict(network, reading) {
  if (!reading) return "Nothing drawn.";
  const { best, second, answer } = reading;
  const [first, next] = [best, second].map((digit) => worth(network, reading, digit));
  if (network.rubbish === null) {
    return `Reads ${best}, with ${first}. Runner-up: ${second}, with ${next}. It has no rubbish class, and takes whatever it sees for a digit.`;
  }
  const limit = number(rubbishPenalty(network), 1);
  if (answer === null) {
    return `Not a digit: the rubbish class wins, at ${limit}. The nearest is ${best}, at a penalty of ${first}.`;
  }
  return `Reads ${best}, at a penalty of ${first}. Runner-up: ${second}, at ${next}. The rubbish class has ${limit}.`;
}

/** How a unit came to its state: places count from 0, as the maps of Table I do. */
export function story(layer, { map, row, column }, state, { blocks, bias }) {
  const name = layer.name.toUpperCase();
  const where = layer.side > 1 ? `${name}, map ${map}, row ${row}, column ${column}` : `${name}, unit ${map}`;
  const count = blocks.reduce((sum, { values }) => sum + values.length, 0);
  const bend = layer.squash ? "squash" : layer.rectified ? "ReLU" : "";
  if (bias === undefined) {
    return `${where}: ${number(state)}, the greatest of ${count} inputs${bend && `, through the ${bend}`}.`;
  }
  let sum = bias;
  for (const { values, factors } of blocks) values.forEach((value, at) => (sum += value * factors[at]));
  const through = bend && `, through the ${bend} of ${number(sum)}`;
  return `${where}: ${number(state)}${through}: ${count} inputs times their weights, and the bias ${number(bias)}.`;
}
