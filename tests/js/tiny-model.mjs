/** A model of a few tokens, made by hand, whose every byte a test can change. */

const encoder = new TextEncoder();
export const bytes = (value) => (typeof value === "string" ? encoder.encode(value) : encoder.encode(JSON.stringify(value)));

/** A safetensors file with this header (an object, or raw text) before this data. */
export function safetensors(header, data = new Uint8Array()) {
  const text = bytes(header);
  const file = new Uint8Array(8 + text.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  file.set(data, 8 + text.length);
  return file;
}

export const TABLE = new Float32Array([0, 0, 1, 0, 0, 1, 3, 4]);
export const TABLE_HEADER = { embeddings: { dtype: "F32", shape: [4, 2], data_offsets: [0, 32] } };

export const tokenizer = () => ({
  version: "1.0",
  normalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
  pre_tokenizer: { type: "BertPreTokenizer" },
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 100,
    vocab: { "[UNK]": 0, east: 1, north: 2, far: 3 },
  },
});

export const tiny = (changes = {}) => ({
  model: safetensors(TABLE_HEADER, new Uint8Array(TABLE.buffer)),
  tokenizer: bytes(tokenizer()),
  config: bytes({ normalize: false, name: "tiny", revision: "7" }),
  ...changes,
});
