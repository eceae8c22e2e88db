/**
 * The part of `@huggingface/tokenizers` that is used. tsconfig.json sends the import here: the library's own
 * declarations don't resolve under Node's module rules.
 */
export class Tokenizer {
  constructor(tokenizer: object, config: object);
  encode(text: string, options: { add_special_tokens: boolean }): { ids: (number | undefined | null)[] };
}
