import { invalid } from '../errors.js';

/** One text or many, as a list. */
export function checkTexts(given: unknown): readonly string[] {
  if (typeof given === 'string') return [given];
  if (!Array.isArray(given)) throw invalid(`embed takes a string or a list of strings, not ${given === null ? 'null' : typeof given}`);
  const bad = given.findIndex((text) => typeof text !== 'string');
  if (bad !== -1) throw invalid(`embed takes strings, but text ${bad} is ${given[bad] === null ? 'null' : typeof given[bad]}`);
  return given;
}
