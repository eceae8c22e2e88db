/** What went wrong, as a stable name. The ones up to `OUT_OF_MEMORY`, and `COLLECTION_…`, come from the core and are the same in every language. */
export type ErrorCode =
  /** An option is unknown, out of its range, or contradicts another one. */
  | 'INVALID_ARGUMENT'
  /** A query has another number of dimensions than the index. */
  | 'DIMENSION_MISMATCH'
  /** A vector holds NaN, an infinity or something that is no number. */
  | 'INVALID_VECTOR'
  /** Rows given to a build are unusable. */
  | 'INVALID_INPUT'
  /** Bytes that claim to be an index file are damaged or forged. */
  | 'CORRUPT_FILE'
  /** The bytes are no index file, or use something that this version doesn't know. */
  | 'UNSUPPORTED_FORMAT'
  /** The file's format version is outside the readable range. */
  | 'UNSUPPORTED_VERSION'
  /** A filter expression can't be parsed or has a type error. */
  | 'INVALID_FILTER'
  /** A filter or `outputFields` names a field that the file doesn't have. */
  | 'FIELD_NOT_FOUND'
  /** The query was embedded by another model than the index. */
  | 'MODEL_MISMATCH'
  /** Memory ran out; nothing was changed. */
  | 'OUT_OF_MEMORY'
  /** A database has no collection or alias of that name. */
  | 'COLLECTION_NOT_FOUND'
  /** A database has a collection or an alias of that name already. */
  | 'COLLECTION_EXISTS'
  /** The browser gives the page no more room on the disk; nothing was changed. */
  | 'QUOTA_EXCEEDED'
  /** This host or page has no files of its own to keep a database in. */
  | 'STORAGE_UNAVAILABLE'
  /** The database is open in a tab with another version of this package, or a file of it elsewhere. */
  | 'IN_USE'
  /** The tab that writes was closed while it changed the collections or aliases for this one: it may be done or not. Look, and ask again. */
  | 'OUTCOME_UNKNOWN'
  /** A file of a registry isn't the one that its registry or manifest names: damaged, swapped or forged. It was not searched. */
  | 'CORRUPT_REGISTRY'
  /** A release isn't signed with a key that the page trusts, or its signature isn't that of its bytes. It was not searched. */
  | 'BAD_SIGNATURE'
  /** A release doesn't answer its stored queries as it should. */
  | 'SELF_TEST_FAILED'
  /** The registry's alias names nothing, or there is no release to go back to. */
  | 'NO_RELEASE'
  /** The index or the database was closed. */
  | 'CLOSED'
  /** A download failed: network, CORS or HTTP status. `details` has `url` and, if there was an answer, `status`. */
  | 'FETCH_FAILED'
  /** A file that is fetched in ranges isn't what it was when it was opened. Open it again. */
  | 'SOURCE_CHANGED'
  /** The WebAssembly module couldn't be loaded, compiled or run by this host. */
  | 'WASM_UNAVAILABLE'
  /** The worker couldn't be started, or died. */
  | 'WORKER_FAILED'
  /** A fault in elanus itself. Please report it. */
  | 'INTERNAL';

/** Every failure of this package: `code` to match on, `message` to read (what was expected, what came, what to do). */
export class ElanusError extends Error {
  override readonly name = 'ElanusError';
  /** The stable code. */
  readonly code: ErrorCode;
  /** Facts behind the message, for programs: `{ expected, found }`, `{ url, status }`, … */
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: { details?: Record<string, unknown>; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.details = options.details;
  }
}

/** What is left of an error when it has crossed from a worker. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: Record<string, unknown> | undefined;
}

export function toPlain(error: unknown): PlainError {
  if (error instanceof ElanusError) {
    return { code: error.code, message: error.message, details: error.details && { ...error.details } };
  }
  return { code: 'INTERNAL', message: error instanceof Error ? `${error.name}: ${error.message}` : String(error), details: undefined };
}

export function fromPlain({ code, message, details }: PlainError): ElanusError {
  return new ElanusError(code, message, details ? { details } : {});
}

export const isThrownByCore = (error: unknown): error is Omit<PlainError, 'details'> =>
  typeof error === 'object' && error !== null && !(error instanceof Error) && 'code' in error && 'message' in error;

export function invalid(message: string, details?: Record<string, unknown>): ElanusError {
  return new ElanusError('INVALID_ARGUMENT', message, details ? { details } : {});
}
