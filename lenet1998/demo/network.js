/**
 * The forward pass, layer by layer, of the networks of lenet1998.models.
 *
 * The states of a layer lie map by map, each row by row. All sums are of doubles; the weights are
 * the package's float32.
 *
 * @typedef {object} Layer as Python's demo.networks describes it, with its weights once unpacked
 * @typedef {object} Network its layers from the input up, and what its outputs mean
 */

/** The layers of a network with their weights, which come as the base64 of float32. */
export function unpack(network, codes) {
  const numbers = new Float32Array(fromBase64(network.weights).buffer);
  let [place, mapsBelow] = [0, 1];
  const take = (count) => numbers.subarray(place, (place += count));
  const layers = network.layers.map((layer) => {
    const all = [...Array(mapsBelow).keys()];
    const table = layer.table ?? Array(layer.maps).fill(all);
    mapsBelow = layer.maps;
    const kernels = table.reduce((count, sources) => count + sources.length, 0);
    const sizes = {
      convolution: [kernels * layer.kernel ** 2, layer.maps],
      subsampling: [layer.maps, layer.maps],
    };
    const [weights, biases] = (sizes[layer.kind] ?? []).map(take);
    return { ...layer, table, weights, biases, codes };
  });
  return { ...network, layers };
}

/** Bytes of their base64; a loop, because `Uint8Array.from` takes a hundred times as long. */
export function fromBase64(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = letters.charCodeAt(at);
  return bytes;
}

/** The states of the input and of every layer. */
export function forward(network, input) {
  const states = [input];
  for (const layer of network.layers) {
    states.push(bend(layer, KINDS[layer.kind](layer, states.at(-1))));
  }
  return states;
}

const KINDS = {
  /** C1, C3 and C5; F6 too, a full connection being one of 1x1 kernels on 1x1 maps. */
  convolution({ maps, side, kernel, table, weights, biases }, below) {
    const wide = side + kernel - 1;
    const sums = new Float64Array(maps * side * side);
    let [to, first] = [0, 0];
    for (let map = 0; map < maps; map++) {
      const sources = table[map];
      for (let row = 0; row < side; row++) {
        for (let column = 0; column < side; column++) {
          let [sum, next] = [biases[map], first];
          for (const source of sources) {
            for (let y = 0; y < kernel; y++) {
              let from = (source * wide + row + y) * wide + column;
              for (let x = 0; x < kernel; x++) sum += weights[next++] * below[from++];
            }
          }
          sums[to++] = sum;
        }
      }
      first += sources.length * kernel * kernel;
    }
    return sums;
  },

  subsampling({ maps, side, weights, biases }, below) {
    const unit = (map, a, b, c, d) => weights[map] * (a + b + c + d) + biases[map];
    return windows(maps, side, below, unit);
  },

  maximum({ maps, side }, below) {
    return windows(maps, side, below, (map, ...four) => Math.max(...four));
  },

  /** Eq. 7: the squared distance to the code of each class. */
  distances({ codes }, below) {
    return Float64Array.from(codes, (code) =>
      code.reduce((sum, ink, unit) => sum + (below[unit] - ink) ** 2, 0),
    );
  },
};

/** What a function makes of each 2x2 window. */
function windows(maps, side, below, unit) {
  const states = new Float64Array(maps * side * side);
  for (let to = 0; to < states.length; to++) {
    const [line, column] = [Math.floor(to / side), to % side];
    const from = 4 * line * side + 2 * column;
    const lower = from + 2 * side;
    const map = Math.floor(line / side);
    states[to] = unit(map, below[from], below[from + 1], below[lower], below[lower + 1]);
  }
  return states;
}

/** The squash of 1998 (eqs. 5 and 6) or today's ReLU, in place. */
function bend({ squash, rectified }, sums) {
  for (let i = 0; i < sums.length; i++) {
    if (squash) sums[i] = squash.amplitude * Math.tanh(squash.slope * sums[i]);
    else if (rectified && sums[i] < 0) sums[i] = 0;
  }
  return sums;
}

/**
 * What a network makes of one input.
 *
 * The answer is a digit, or null where the rubbish class of eq. 9 is more probable than each.
 */
export function read(network, input) {
  const states = forward(network, input);
  const outputs = [...states.at(-1)];
  const scores = outputs.map((output) => network.factor * output);
  const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a]);
  const [best, second] = order;
  const rubbish = network.rubbish ?? -Infinity;
  const top = Math.max(scores[best], rubbish);
  const odds = [...scores, rubbish].map((score) => Math.exp(score - top));
  const total = odds.reduce((sum, one) => sum + one, 0);
  const probabilities = odds.map((one) => one / total);
  const answer = scores[best] < rubbish ? null : best;
  return { states, outputs, probabilities, best, second, answer };
}

/**
 * The sum that made a unit: of each map below it the window that it sees, with the weights.
 *
 * Maximum pooling has no weights; a window of subsampling has one, four times.
 */
export function inputsOf(layer, below, map, row, column) {
  const { kind, kernel, stride, table, weights, biases } = layer;
  const sources = kind === "convolution" ? table[map] : [map];
  const wide = (layer.side - 1) * stride + kernel;
  const size = kernel ** 2;
  let next = table.slice(0, map).reduce((count, before) => count + before.length, 0) * size;
  const blocks = sources.map((source) => {
    const [values, factors] = [[], []];
    for (let place = 0; place < size; place++) {
      const y = row * stride + Math.floor(place / kernel);
      const x = column * stride + (place % kernel);
      values.push(below[(source * wide + y) * wide + x]);
      if (weights) factors.push(kind === "convolution" ? weights[next++] : weights[map]);
    }
    return { source, values, factors };
  });
  return { blocks, bias: biases?.[map] };
}

/** The square of a layer below, 0 being the input, that a unit depends on. */
export function fieldOf(layers, index, row, column, down = 0) {
  let extent = 1;
  for (const { stride, kernel } of layers.slice(down, index).reverse()) {
    [row, column, extent] = [row * stride, column * stride, (extent - 1) * stride + kernel];
  }
  return { row, column, extent };
}
