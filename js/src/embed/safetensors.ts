import { ElanusError } from '../errors.js';

/**
 * Reads the safetensors container (https://github.com/huggingface/safetensors, "Format"): eight bytes of header length,
 * a JSON header that gives each tensor's type, shape and place, then the tensors' bytes. Every number in the header is
 * checked against the bytes that are there before it is used.
 */

/** Bytes of one element, by the container's name for its type. */
const ELEMENT_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

export type TensorType = keyof typeof ELEMENT_BYTES;

/** One tensor, still as bytes. */
export interface Tensor {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly number[];
  /** Elements, the product of the shape. */
  readonly count: number;
  /** Its own copy: the numbers in it are aligned, and the file may be let go. */
  readonly bytes: ArrayBuffer;
}

const LENGTH_BYTES = 8;
/** The reference reader's limit. */
const MAX_HEADER_BYTES = 100_000_000;

/** The tensors named in `wanted` that the file has. The whole header is checked, wanted or not. */
export function readTensors(file: Uint8Array, wanted: readonly string[]): Map<string, Tensor> {
  const { header, data } = splitFile(file);
  const tensors = new Map<string, Tensor>();
  const places: { name: string; begin: number; end: number }[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const { type, shape, count, begin, end } = readEntry(name, entry, data.length);
    places.push({ name, begin, end });
    if (wanted.includes(name)) tensors.set(name, { name, type, shape, count, bytes: copied(data, begin, end) });
  }
  checkPlaces(places, data.length);
  return tensors;
}

/** Every floating-point tensor as f32, and I8 as it is: half of a model's memory is worth two code paths. */
export function readNumbers(tensor: Tensor): Float32Array | Int8Array {
  if (tensor.type === 'I8') return new Int8Array(tensor.bytes);
  const values = readFloats(tensor);
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad !== -1) throw damaged(`element ${bad} of the tensor "${tensor.name}" is ${values[bad]}, which is no finite number`);
  return values;
}

function readFloats({ name, type, bytes, count }: Tensor): Float32Array {
  switch (type) {
    case 'F32':
      return new Float32Array(bytes);
    case 'F64':
      return Float32Array.from(new Float64Array(bytes));
    case 'BF16': {
      // The upper half of an f32.
      const wide = new Uint32Array(count);
      new Uint16Array(bytes).forEach((half, i) => (wide[i] = half << 16));
      return new Float32Array(wide.buffer);
    }
    case 'F16':
      return halvesToFloats(new Uint16Array(bytes));
    default:
      throw new ElanusError(
        'UNSUPPORTED_FORMAT',
        `the tensor "${name}" has the type ${type}; expected F64, F32, F16, BF16 or I8`,
        { details: { tensor: name, type } },
      );
  }
}

/** Row numbers, each of which must be below `limit`. */
export function readRowNumbers(tensor: Tensor, limit: number): Uint32Array {
  const { name, type, bytes, count } = tensor;
  const values = integerView(type, bytes);
  if (!values) {
    throw new ElanusError('UNSUPPORTED_FORMAT', `the tensor "${name}" has the type ${type}; expected whole numbers`, {
      details: { tensor: name, type },
    });
  }
  const rows = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const row = Number(values[i]!);
    if (!(row >= 0 && row < limit)) throw damaged(`"${name}" sends token ${i} to row ${row} of ${limit}`);
    rows[i] = row;
  }
  return rows;
}

function integerView(type: TensorType, bytes: ArrayBuffer): ArrayLike<number | bigint> | undefined {
  switch (type) {
    case 'I8':
      return new Int8Array(bytes);
    case 'U8':
      return new Uint8Array(bytes);
    case 'I16':
      return new Int16Array(bytes);
    case 'U16':
      return new Uint16Array(bytes);
    case 'I32':
      return new Int32Array(bytes);
    case 'U32':
      return new Uint32Array(bytes);
    case 'I64':
      return new BigInt64Array(bytes);
    case 'U64':
      return new BigUint64Array(bytes);
    default:
      return undefined;
  }
}

function splitFile(file: Uint8Array): { header: object; data: Uint8Array } {
  if (file.length < LENGTH_BYTES) throw damaged(`it has ${file.length} bytes, and its header's length alone takes 8`);
  const stated = new DataView(file.buffer, file.byteOffset).getBigUint64(0, true);
  const room = file.length - LENGTH_BYTES;
  if (stated > BigInt(Math.min(room, MAX_HEADER_BYTES))) {
    throw damaged(`it states a header of ${stated} bytes, but ${room} bytes follow; it is cut short, or another kind of file`);
  }
  const length = Number(stated);
  const data = file.subarray(LENGTH_BYTES + length);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(file.subarray(LENGTH_BYTES, LENGTH_BYTES + length)));
  } catch (cause) {
    throw damaged(`its header is no JSON (${(cause as Error).message})`);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) throw damaged('its header is no JSON object');
  return { header, data };
}

function readEntry(name: string, entry: unknown, dataBytes: number) {
  const what = `the tensor ${JSON.stringify(name)}`;
  const { dtype: type, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  if (typeof type !== 'string' || !Object.hasOwn(ELEMENT_BYTES, type)) {
    throw new ElanusError('UNSUPPORTED_FORMAT', `${what} has the type ${JSON.stringify(type)}, which this version doesn't know`, {
      details: { tensor: name, type },
    });
  }
  if (!isCounts(shape)) throw damaged(`the shape of ${what} is ${JSON.stringify(shape)}`);
  if (!isCounts(offsets) || offsets.length !== 2) throw damaged(`the place of ${what} is ${JSON.stringify(offsets)}`);
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataBytes) {
    throw damaged(`${what} lies at ${begin} to ${end}, but the tensors have ${dataBytes} bytes; the file is cut short or forged`);
  }
  const count = shape.reduce((product, size) => product * size, 1);
  const bytes = count * ELEMENT_BYTES[type as TensorType];
  if (bytes !== end - begin) {
    throw damaged(`${what} of shape [${shape.join(', ')}] and type ${type} needs ${bytes} bytes, but has ${end - begin}`);
  }
  return { type: type as TensorType, shape, count, begin, end };
}

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && count >= 0);

/** The format allows neither overlaps nor holes: bytes that no tensor owns could hide anything. */
function checkPlaces(places: { name: string; begin: number; end: number }[], dataBytes: number): void {
  places.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const { name, begin, end } of places) {
    if (begin !== at) {
      const fault = begin < at ? 'overlaps the one before it' : `leaves ${begin - at} bytes before it unused`;
      throw damaged(`the tensor ${JSON.stringify(name)} ${fault}`);
    }
    at = end;
  }
  if (at !== dataBytes) throw damaged(`its tensors end at ${at}, but ${dataBytes} bytes are there`);
}

// Not `slice`: that of Node's Buffer copies nothing.
const copied = (data: Uint8Array, begin: number, end: number): ArrayBuffer => new Uint8Array(data.subarray(begin, end)).buffer;

/** IEEE 754 half precision, by a table: 65,536 possible values, against millions to convert. */
function halvesToFloats(halves: Uint16Array): Float32Array {
  const table = new Float32Array(1 << 16);
  for (let bits = 0; bits < table.length; bits++) {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const size =
      exponent === 31
        ? fraction
          ? NaN
          : Infinity
        : exponent
          ? (1024 + fraction) * 2 ** (exponent - 25)
          : fraction * 2 ** -24;
    table[bits] = bits & 0x8000 ? -size : size;
  }
  return Float32Array.from(halves, (half) => table[half]!);
}

function damaged(what: string): ElanusError {
  return new ElanusError('CORRUPT_FILE', `the model's safetensors file is damaged: ${what}; fetch it again`);
}
