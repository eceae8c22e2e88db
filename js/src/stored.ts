import { ElanusError } from './errors.js';
import { parseJson } from './json.js';

/**
 * The stored fields of hits, of which only some may be wanted.
 *
 * @param text a JSON array with an object for each hit, as the file holds them
 * @throws ElanusError `CORRUPT_FILE`
 */
export function readStored(text: string, wanted: readonly string[] | '*'): Record<string, unknown>[] {
  let all: Record<string, unknown>[];
  try {
    all = parseJson(text) as Record<string, unknown>[];
  } catch (cause) {
    throw new ElanusError('CORRUPT_FILE', 'the stored fields of a hit are damaged; fetch or build the file again', { cause });
  }
  if (wanted === '*') return all;
  return all.map((row) => Object.fromEntries(wanted.filter((name) => Object.hasOwn(row, name)).map((name) => [name, row[name]])));
}
