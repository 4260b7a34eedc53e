/**
 * The forward pass, layer by layer, of the networks of lenet1998.models.
 *
 * The states of a layer lie map by map, each row by row. All is as high as one character, and as
 * wide as the input: a digit is a field 32 columns wide. All sums are of doubles; the weights are
 * the package's, each tensor's to 24 bits of its greatest.
 *
 * @typedef {object} Layer as Python's demo.networks describes it, with its weights once unpacked
 * @typedef {object} Network its layers from the input up, and what its outputs mean
 */

/** The layers of a network with their weights, which come as whole numbers of steps of a tensor. */
export function unpack(network, codes) {
  const bytes = fromBase64(network.weights);
  const steps = [...network.steps];
  let [from, mapsBelow] = [0, 1];
  const take = (count) => {
    const [numbers, step] = [new Float64Array(count), steps.shift()];
    for (let at = 0; at < count; at++, from += 3) {
      const high = (bytes[from] << 8) | (bytes[from + 1] << 16) | (bytes[from + 2] << 24);
      numbers[at] = step * (high >> 8);
    }
    return numbers;
  };
  const layers = network.layers.map((layer) => {
    const below = mapsBelow;
    const table = layer.table ?? Array(layer.maps).fill([...Array(below).keys()]);
    mapsBelow = layer.maps;
    const kernels = table.reduce((count, sources) => count + sources.length, 0);
    const sizes = {
      convolution: [kernels * layer.kernel ** 2, layer.maps],
      subsampling: [layer.maps, layer.maps],
    };
    const [weights, biases] = (sizes[layer.kind] ?? []).map(take);
    const inMaps = { below, step: layer.stride, apart: 1 };
    return { ...layer, ...inMaps, table, weights, biases, codes };
  });
  return { ...network, layers };
}

/**
 * A network as it is laid along a field, with an output for each column of C3 (section VII).
 *
 * S4 takes two columns from every one on, not from every second; C5 sees every second of these.
 */
export function alongField({ layers, ...network }) {
  const last = layers.findLastIndex(({ stride }) => stride > 1);
  const changes = { [last]: { step: 1 }, [last + 1]: { apart: layers[last].stride } };
  return { ...network, layers: layers.map((layer, at) => ({ ...layer, ...changes[at] })) };
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

/** Rows and columns of the maps below a layer. */
function sizeBelow({ below, side, stride, kernel }, states) {
  const high = (side - 1) * stride + kernel;
  return [high, states.length / (below * high)];
}

const KINDS = {
  /** C1, C3 and C5; F6 too, a full connection being one of 1x1 kernels on 1x1 maps. */
  convolution(layer, below) {
    const { maps, side, kernel, apart, table, weights, biases } = layer;
    const [high, wide] = sizeBelow(layer, below);
    const columns = wide - apart * (kernel - 1);
    const sums = new Float64Array(maps * side * columns);
    let [to, first] = [0, 0];
    for (let map = 0; map < maps; map++) {
      const sources = table[map];
      for (let row = 0; row < side; row++, to += columns) {
        sums.fill(biases[map], to, to + columns);
        let next = first;
        for (const source of sources) {
          for (let y = 0; y < kernel; y++) {
            for (let x = 0; x < kernel; x++) {
              const weight = weights[next++];
              const from = (source * high + row + y) * wide + apart * x;
              for (let at = 0; at < columns; at++) sums[to + at] += weight * below[from + at];
            }
          }
        }
      }
      first += sources.length * kernel * kernel;
    }
    return sums;
  },

  subsampling(layer, below) {
    const { weights, biases } = layer;
    const unit = (map, a, b, c, d) => weights[map] * (a + b + c + d) + biases[map];
    return windows(layer, below, unit);
  },

  maximum(layer, below) {
    return windows(layer, below, (map, ...four) => Math.max(...four));
  },

  /** Eq. 7: the squared distance to the code of each class. */
  distances({ codes }, below) {
    const columns = below.length / codes[0].length;
    const penalties = new Float64Array(codes.length * columns);
    for (let to = 0; to < penalties.length; to++) {
      const code = codes[Math.floor(to / columns)];
      let from = to % columns;
      for (let unit = 0; unit < code.length; unit++, from += columns) {
        penalties[to] += (below[from] - code[unit]) ** 2;
      }
    }
    return penalties;
  },
};

/** What a function makes of each 2x2 window. */
function windows(layer, below, unit) {
  const { maps, side, stride, step } = layer;
  const [, wide] = sizeBelow(layer, below);
  const columns = Math.floor((wide - stride) / step) + 1;
  const states = new Float64Array(maps * side * columns);
  for (let to = 0; to < states.length; to++) {
    const line = Math.floor(to / columns);
    const from = stride * line * wide + step * (to % columns);
    const lower = from + wide;
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
