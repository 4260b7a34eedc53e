/** A drawing: its strokes, and their form in a link. */

/** Both coordinates of a point run from 0 to this, whatever the size of the canvas. */
export const GRID = 4095;
/** Points of a drawing: what is more is not drawn, and no link may bring it. */
export const MOST_POINTS = 3000;

const SIX_BITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const LINK = /^([\w-]{4})+(\.([\w-]{4})+)*$/;

/** Four letters for a point, twelve bits for each coordinate; a full stop between strokes. */
export function encode(strokes) {
  const letters = (value) => SIX_BITS[value >> 6] + SIX_BITS[value & 63];
  return strokes.map((stroke) => stroke.flat().map(letters).join("")).join(".");
}

/** The strokes of a link; null where it is anything else than `encode` writes on so high a grid. */
export function decode(link, high = GRID) {
  if (link.length > 5 * MOST_POINTS || !LINK.test(link)) return null;
  const strokes = link.split(".").map((stroke) =>
    stroke.match(/.{4}/g).map((point) => {
      const [a, b, c, d] = [...point].map((letter) => SIX_BITS.indexOf(letter));
      return [a * 64 + b, c * 64 + d];
    }),
  );
  const isInside = strokes.flat().every(([, y]) => y <= high);
  return isInside && countPoints(strokes) <= MOST_POINTS ? strokes : null;
}

export function countPoints(strokes) {
  return strokes.reduce((count, stroke) => count + stroke.length, 0);
}
