// all-MiniLM-L6-v2 by ONNX Runtime, as its makers run it: the mean of the tokens' vectors, normalised. The release's build and the
// page embed by this same code.

import { Tokenizer } from "@huggingface/tokenizers";
import { env, InferenceSession, Tensor } from "onnxruntime-web/wasm";

/** What the model was trained to read of a text, in tokens. */
const MAX_TOKENS = 256;

/** Texts that are computed at once, at most. */
const BATCH = 32;

// More would need a page that no other window may touch.
env.wasm.numThreads = 1;

/**
 * @param {Uint8Array} model the bytes of model.onnx
 * @param {object} tokenizer what tokenizer.json says
 */
export async function openMiniLm(model, tokenizer) {
  const session = await InferenceSession.create(model, { executionProviders: ["wasm"], logSeverityLevel: 3 });
  const tokens = new Tokenizer(tokenizer, {});

  /** @param {string} text */
  const idsOf = (text) => {
    const { ids } = tokens.encode(text);
    return ids.length > MAX_TOKENS ? [...ids.slice(0, MAX_TOKENS - 1), ids.at(-1)] : ids;
  };

  /** @param {number[][]} rows of one length: then nothing is computed for padding */
  const run = async (rows) => {
    const [count, length] = [rows.length, rows[0].length];
    const tensor = (values) => new Tensor("int64", values, [count, length]);
    const output = await session.run({
      input_ids: tensor(BigInt64Array.from(rows.flat(), BigInt)),
      attention_mask: tensor(new BigInt64Array(count * length).fill(1n)),
      token_type_ids: tensor(new BigInt64Array(count * length)),
    });
    const { data, dims } = output[session.outputNames[0]];
    const dimension = dims[2];
    return rows.map((_, row) => {
      const mean = new Float32Array(dimension);
      for (let token = 0; token < length; token++) {
        const at = (row * length + token) * dimension;
        for (let i = 0; i < dimension; i++) mean[i] += data[at + i];
      }
      const norm = Math.hypot(...mean);
      return mean.map((x) => x / norm);
    });
  };

  return {
    /**
     * @param {string[]} texts
     * @param {(done: number) => void} [onProgress]
     * @returns {Promise<Float32Array[]>}
     */
    async embed(texts, onProgress) {
      const vectors = [];
      const ids = texts.map(idsOf);
      const order = ids.map((_, at) => at).sort((a, b) => ids[a].length - ids[b].length || a - b);
      for (let start = 0; start < order.length; ) {
        let stop = start + 1;
        while (stop < order.length && stop - start < BATCH && ids[order[stop]].length === ids[order[start]].length) stop++;
        const part = order.slice(start, stop);
        const embedded = await run(part.map((at) => ids[at]));
        part.forEach((at, i) => (vectors[at] = embedded[i]));
        start = stop;
        onProgress?.(start);
      }
      return vectors;
    },
  };
}
