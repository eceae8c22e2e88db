export interface MiniLm {
  embed(texts: string[], onProgress?: (done: number) => void): Promise<Float32Array[]>;
}
export function openMiniLm(model: Uint8Array, tokenizer: object): Promise<MiniLm>;
