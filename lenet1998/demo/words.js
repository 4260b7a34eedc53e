/** What the page says of a reading and of a unit, in words. */

/** A number as it is printed: a true minus sign, no negative zero. */
export function number(value, places = 2) {
  const text = value.toFixed(places);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/** The penalty that the rubbish class has with every picture. */
export function rubbishPenalty(network) {
  return network.rubbish / network.factor;
}

/**
 * What a class got: its penalty, or its probability by a network that has no penalties.
 *
 * The class null is the rubbish class; without a reading nothing has got anything else.
 */
export function worth(network, reading, digit) {
  const hasPenalties = network.rubbish !== null;
  if (digit === null) return hasPenalties ? number(rubbishPenalty(network), 1) : "";
  if (!reading) return "";
  if (hasPenalties) return number(reading.outputs[digit], 1);
  return `${number(100 * reading.probabilities[digit], 1)} %`;
}

export function verdict(network, reading) {
  if (!reading) return "Nothing drawn.";
  const { best, second, answer } = reading;
  const [first, next, limit] = [best, second, null].map((digit) => worth(network, reading, digit));
  if (network.rubbish === null) {
    const beware = "It has no rubbish class, and takes whatever it sees for a digit.";
    return `Reads ${best}, with ${first}. Runner-up: ${second}, with ${next}. ${beware}`;
  }
  if (answer === null) {
    const nearest = `The nearest is ${best}, at a penalty of ${first}.`;
    return `Not a digit: the rubbish class wins, at ${limit}. ${nearest}`;
  }
  const others = `Runner-up: ${second}, at ${next}. The rubbish class has ${limit}.`;
  return `Reads ${best}, at a penalty of ${first}. ${others}`;
}

/** Of a reading of `readNumber`. */
export function verdictOfNumber(reading, isEmpty) {
  if (isEmpty) return "Nothing drawn.";
  if (!reading) return "No digit: nothing stands in a row.";
  const path = `the best path has a penalty of ${number(reading.penalty, 1)}.`;
  const digits = reading.digits.map(({ digit }) => digit).join("");
  return digits ? `Reads ${digits}; ${path}` : `No digit: all is a gap; ${path}`;
}

/** How a unit came to its state. */
export function story(layer, { map, row, column }, state, { blocks, bias }) {
  const place = layer.side > 1 ? `map ${map}, row ${row}, column ${column}` : `unit ${map}`;
  const head = `${layer.name.toUpperCase()}, ${place}: ${number(state)}`;
  const bend = layer.squash ? "squash" : layer.rectified ? "ReLU" : null;
  const inputs = blocks.reduce((count, { values }) => count + values.length, 0);
  if (layer.kind === "maximum") return `${head}, the ${bend} of the greatest of ${inputs} inputs.`;
  const products = blocks.flatMap(({ values, factors }) =>
    values.map((value, at) => value * factors[at]),
  );
  const sum = products.reduce((total, product) => total + product, bias);
  const through = bend ? `, the ${bend} of ${number(sum)}` : "";
  return `${head}${through}: ${inputs} inputs times their weights, and the bias ${number(bias)}.`;
}
