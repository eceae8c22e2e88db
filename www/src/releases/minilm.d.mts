export interface MiniLm {
  embed(texts: string[], batch?: number, onProgress?: (done: number) => void): Promise<Float32Array[]>;
}
export function openMiniLm(model: Uint8Array, tokenizer: object): Promise<MiniLm>;
