import { SplitMix64 } from './interleave.js';
import { corrupt } from './release.js';

/** How many of how many. */
export interface Share {
  readonly count: number;
  readonly of: number;
}

/** What a part of the reference, its queries or its corpus, is like. */
export interface Part {
  readonly count: number;
  /** One behind the other. */
  readonly centroids: Float64Array;
  readonly spreads: readonly number[];
  readonly farAbove: number;
  readonly far: Share;
  readonly mean: readonly number[];
  /** Pairs of a probability and the statistic's quantile, both rising. */
  readonly quantiles: readonly (readonly [number, number])[];
}

/** What the queries of a release are expected to be like: made by `elanus registry`, `docs/schema/sketch-1.json`. */
export interface Sketch {
  readonly dimension: number;
  readonly metric: string;
  readonly features: number;
  readonly frequencies: Float64Array;
  readonly queries: Part;
  readonly corpus: Part;
  /** Whether the reference queries were real ones, or rows of the index. */
  readonly from: 'queries' | 'rows';
  readonly top1: { readonly quantiles: readonly number[]; readonly of: number };
  readonly empty: Share;
  readonly farFromCorpus: Share;
  /** Signs of the projection, one row of `dimension` for each feature. */
  readonly signs: Int8Array;
}

const FREQUENCIES = 64;
const MOST_FEATURES = 256;
const MOST_CENTROIDS = 64;
const TOP1_QUANTILES = 21;

/** Reads a sketch, which may be anything: it is checked as a whole before it is used. */
export function readSketch(text: string, dimension: number, metric: string): Sketch {
  const fail = (what: string): never => {
    throw corrupt(`the sketch of the release is none: ${what}`);
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    return fail((cause as Error).message);
  }
  const object = (value: unknown, name: string): Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : fail(`${name} is no object`);
  const numbers = (value: unknown, name: string, length: number): number[] =>
    Array.isArray(value) && value.length === length && value.every(Number.isFinite) ? value : fail(`${name} is no list of ${length} numbers`);
  const positive = (value: unknown, name: string): number =>
    Number.isFinite(value) && (value as number) > 0 ? (value as number) : fail(`${name} is no number above 0`);
  const whole = (value: unknown, name: string, from: number, to: number): number =>
    Number.isInteger(value) && (value as number) >= from && (value as number) <= to ? (value as number) : fail(`${name} is no whole number from ${from} to ${to}`);
  const share = (value: unknown, name: string): Share => {
    const given = object(value, name);
    const of = whole(given['of'], `${name}.of`, 0, 2 ** 32);
    return { count: whole(given['count'], `${name}.count`, 0, of), of };
  };
  const table = (base64: unknown, scale: unknown, width: number, name: string): Float64Array => {
    const bytes = typeof base64 === 'string' && /^[A-Za-z0-9+/]+={0,2}$/.test(base64) && base64.length % 4 === 0 ? atob(base64) : '';
    if (bytes.length === 0 || bytes.length % width !== 0) return fail(`${name} has no rows of ${width} bytes`);
    const step = positive(scale, `the scale of ${name}`);
    return Float64Array.from(bytes, (char) => ((char.charCodeAt(0) << 24) >> 24) * step);
  };

  const top = object(json, 'it');
  if (top['schema_version'] !== 1) return fail(`its schema version is ${String(top['schema_version'])}; this package knows 1`);
  if (top['dimension'] !== dimension || top['metric'] !== metric) return fail(`it is of ${String(top['dimension'])} dimensions by ${String(top['metric'])}, the index of ${dimension} by ${metric}`);
  const features = whole(top['features'], 'features', 1, MOST_FEATURES);
  const seed = whole(top['seed'], 'seed', 0, Number.MAX_SAFE_INTEGER);
  const frequencies = table(top['frequencies'], top['frequency_scale'], features, 'frequencies');
  if (frequencies.length !== FREQUENCIES * features) return fail(`there are ${frequencies.length / features} frequencies, not ${FREQUENCIES}`);
  const part = (value: unknown, name: string): Part => {
    const given = object(value, name);
    const centroids = table(given['centroids'], given['centroid_scale'], features, `${name}.centroids`);
    const count = centroids.length / features;
    if (count > MOST_CENTROIDS) return fail(`${name} has ${count} centroids, more than ${MOST_CENTROIDS}`);
    const quantiles: unknown = object(given['null'], `${name}.null`)['quantiles'];
    if (!Array.isArray(quantiles) || quantiles.length === 0) return fail(`${name}.null has no quantiles`);
    const pairs = quantiles.map((pair: unknown) => numbers(pair, `a quantile of ${name}`, 2) as [number, number]);
    const rising = pairs.every(([p, value], i) => p > 0 && p < 1 && (i === 0 || (p > pairs[i - 1]![0] && value >= pairs[i - 1]![1])));
    if (!rising) return fail(`the quantiles of ${name} don't rise`);
    return {
      count: whole(given['count'], `${name}.count`, 1, 2 ** 32),
      centroids,
      spreads: numbers(given['spreads'], `${name}.spreads`, count).map((spread) => positive(spread, `a spread of ${name}`)),
      farAbove: positive(given['far_above'], `${name}.far_above`),
      far: share(given['far'], `${name}.far`),
      mean: numbers(given['mean'], `${name}.mean`, 2 * FREQUENCIES),
      quantiles: pairs,
    };
  };
  const top1 = object(top['top1'], 'top1');
  const quantiles = numbers(top1['quantiles'], 'top1.quantiles', TOP1_QUANTILES);
  if (quantiles.some((value, i) => i > 0 && value < quantiles[i - 1]!)) return fail("the quantiles of top1 don't rise");
  const from = top['from'] === 'queries' || top['from'] === 'rows' ? top['from'] : fail('it doesn’t say what it is from');
  return {
    dimension,
    metric,
    features,
    frequencies,
    queries: part(top['queries'], 'queries'),
    corpus: part(top['corpus'], 'corpus'),
    from,
    top1: { quantiles, of: whole(top1['of'], 'top1.of', 1, 2 ** 32) },
    empty: share(top['empty'], 'empty'),
    farFromCorpus: share(top['far_from_corpus'], 'far_from_corpus'),
    signs: signsOf(seed, features, dimension),
  };
}

/** The signs of a random projection (Achlioptas 2003), as the native tools draw them. */
function signsOf(seed: number, features: number, dimension: number): Int8Array {
  const random = new SplitMix64(seed);
  const signs = new Int8Array(features * dimension);
  for (let row = 0; row < features; row++) {
    for (let start = 0; start < dimension; start += 64) {
      const word = random.next();
      const halves = [Number(word & 0xffff_ffffn), Number(word >> 32n)];
      for (let bit = 0; bit < 64 && start + bit < dimension; bit++) {
        signs[row * dimension + start + bit] = (halves[bit >> 5]! >>> (bit & 31)) & 1 ? 1 : -1;
      }
    }
  }
  return signs;
}

/** What is compared of a query. */
export interface Features {
  readonly projected: Float64Array;
  /** Random Fourier features (Rahimi and Recht 2007): cosines, then sines. */
  readonly phi: Float64Array;
}

/** A query as it is compared: `vector` as the index takes it. */
export function featuresOf(sketch: Sketch, vector: ArrayLike<number>): Features {
  const { dimension, features, frequencies, signs } = sketch;
  const x = inputOf(sketch, vector);
  const projected = new Float64Array(features);
  for (let row = 0; row < features; row++) {
    let sum = 0;
    for (let i = 0, at = row * dimension; i < dimension; i++, at++) sum += signs[at]! * x[i]!;
    projected[row] = sum / Math.sqrt(features);
  }
  const phi = new Float64Array(2 * FREQUENCIES);
  for (let j = 0; j < FREQUENCIES; j++) {
    let angle = 0;
    for (let i = 0; i < features; i++) angle += frequencies[j * features + i]! * projected[i]!;
    phi[j] = Math.cos(angle) / Math.sqrt(FREQUENCIES);
    phi[FREQUENCIES + j] = Math.sin(angle) / Math.sqrt(FREQUENCIES);
  }
  return { projected, phi };
}

function inputOf({ dimension, metric }: Sketch, vector: ArrayLike<number>): Float64Array {
  if (metric === 'HAMMING' || metric === 'JACCARD') {
    // Of each byte the highest bit first.
    return Float64Array.from({ length: dimension }, (_, i) => ((vector[i >> 3]! >> (7 - (i & 7))) & 1 ? 1 : -1) / Math.sqrt(dimension));
  }
  const x = Float64Array.from(vector);
  if (metric !== 'COSINE') return x;
  const length = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
  return length > 0 ? x.map((value) => value / length) : x;
}

/** Whether a query is far from every centroid of a part. */
export function isFar({ centroids, spreads, farAbove }: Part, projected: Float64Array): boolean {
  const width = projected.length;
  return spreads.every((spread, c) => {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += (projected[i]! - centroids[c * width + i]!) ** 2;
    return sum / spread > farAbove;
  });
}
