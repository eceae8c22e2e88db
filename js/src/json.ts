/** JSON of a value, with a BigInt as the integer that it is. */
export function toJson(value: unknown): string | undefined {
  let whole = true;
  // `JSON.stringify` refuses a BigInt; a replacer sees it first.
  const text = JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'bigint') return inner;
    whole = false;
    return 0;
  });
  if (whole) return text;
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return `[${value.map((item) => toJson(item) ?? 'null').join(',')}]`;
  const members = Object.entries(value as object).map(([name, inner]) => [JSON.stringify(name), toJson(inner)] as const);
  return `{${members.filter(([, inner]) => inner !== undefined).map(([name, inner]) => `${name}:${inner}`).join(',')}}`;
}

/**
 * Reads JSON and keeps 64-bit integers whole: an integer literal that a double can't hold exactly becomes a BigInt.
 * (`JSON.parse` alone would round 9007199254740993 to …992 in silence.)
 */
export function parseJson(text: string): unknown {
  // Sixteen digits are the shortest integer beyond 2^53; almost no text has them, so this test is the usual cost.
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  // Every string value gets an `s` in front and every such integer becomes a string with an `n`, so that nothing a
  // file can hold is taken for the other. Keys (strings before a colon) stay.
  const tagged = text.replace(
    /"(?:[^"\\]|\\.)*"(\s*:)?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g,
    (token: string, colon: string | undefined) => {
      if (token.startsWith('"')) return colon === undefined ? `"s${token.slice(1)}` : token;
      return /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"n${token}"` : token;
    },
  );
  return JSON.parse(tagged, (_key, value: unknown) => {
    if (typeof value !== 'string') return value;
    return value.startsWith('n') ? BigInt(value.slice(1)) : value.slice(1);
  });
}
