'use strict';
// What a handler answered with, as a status, headers and a body to send.
//
// | answered | status | content type | body |
// |---|---|---|---|
// | undefined, null | 200 | - | empty |
// | string | 200 | text/plain; charset=utf-8 | as UTF-8 |
// | Buffer, Uint8Array, ArrayBuffer | 200 | application/octet-stream | as is |
// | object with statusCode, or of body and headers alone | as said | as said, or by the body | by these rules |
// | a Response, as `fetch` has it | as said | as said | as it comes |
// | generator, iterator, stream | 200 | by its first piece | its pieces, chunked, as they come |
// | anything else (object, list, number …) | 200 | application/json | as JSON |
//
// A status and headers set on the context hold unless the object says its own. Content-Length, Transfer-Encoding and
// Connection are always ours.

const TEXT = 'text/plain; charset=utf-8';
const BINARY = 'application/octet-stream';
const JSON_TYPE = 'application/json';
const LINES = 'application/x-ndjson';

const OURS = new Set(['content-length', 'transfer-encoding', 'connection', 'keep-alive', 'upgrade', 'trailer']);
const RESPONSE_KEYS = new Set(['statusCode', 'headers', 'body']);

/** Return the answer that `said` means. Throws TypeError or RangeError for what cannot be sent. */
function answer(said, context) {
  if (said.failed) return failed(said.value, context);
  const value = said.value;
  // By its name first: to ask for `Response` itself makes Node load its whole HTTP client.
  if (value?.constructor?.name === 'Response' && value instanceof Response) return fromResponse(value);
  if (isResponse(value)) {
    const status = value.statusCode === undefined ? context.status() || 200 : value.statusCode;
    return made(status, [context.headers(), value.headers], bodyOf(value.body));
  }
  return made(context.status() || 200, [context.headers()], bodyOf(value));
}

/** Return one piece of a stream and the content type it suggests. Throws TypeError. */
function piece(value) {
  if (typeof value === 'string') return { data: Buffer.from(value), type: TEXT };
  const bytes = bytesOf(value);
  if (bytes) return { data: bytes, type: BINARY };
  return { data: Buffer.concat([json(value), Buffer.from('\n')]), type: LINES };
}

function failed(value, context) {
  const shown = value instanceof Error ? String(value) : value;
  return made(context.status() || 500, [context.headers()], bodyOf(shown));
}

function isResponse(value) {
  if (value === null || typeof value !== 'object') return false;
  if ('statusCode' in value) return Object.getPrototypeOf(value) === Object.prototype;
  return Object.hasOwn(value, 'body') && Object.keys(value).every((key) => RESPONSE_KEYS.has(key));
}

function fromResponse(response) {
  const pairs = [...response.headers].filter(([name]) => name !== 'set-cookie');
  const cookies = response.headers.getSetCookie ? response.headers.getSetCookie() : [];
  const body = response.body === null ? { data: Buffer.alloc(0), type: '' } : bodyOf(response.body);
  return made(response.status, [[...pairs, ...cookies.map((each) => ['set-cookie', each])]], body);
}

function made(status, sources, body) {
  const code = typeof status === 'string' && /^\d{3}$/.test(status) ? Number(status) : status;
  if (!Number.isInteger(code) || code < 200 || code > 599) {
    throw new RangeError(`statusCode: ${String(status).slice(0, 40)} must be a number from 200 to 599`);
  }
  const lines = new Map();
  let type = body.type;
  for (const source of sources) {
    for (const [name, values] of headersOf(source)) {
      const key = name.toLowerCase();
      if (key === 'content-type') type = values.at(-1);
      else if (!OURS.has(key)) lines.set(key, [name, values]);
    }
  }
  const headers = [...lines.values()].flatMap(([name, values]) => values.flatMap((value) => [name, value]));
  return { status: code, headers, type, body: body.data ?? null, pieces: body.pieces };
}

/** Yield each header with its values: of an object, a Headers, a Map or a list of pairs. */
function* headersOf(source) {
  if (source === undefined || source === null) return;
  const pairs = typeof source[Symbol.iterator] === 'function' ? source : Object.entries(source);
  const found = new Map();
  for (const [name, value] of pairs) {
    const values = (Array.isArray(value) ? value : [value]).filter((each) => each !== undefined).map(String);
    const before = found.get(String(name).toLowerCase());
    if (before) before[1].push(...values);
    else if (values.length) found.set(String(name).toLowerCase(), [String(name), values]);
  }
  yield* found.values();
}

function bodyOf(value) {
  if (value === undefined || value === null) return { data: Buffer.alloc(0), type: '' };
  if (typeof value === 'string') return { data: Buffer.from(value), type: TEXT };
  const bytes = bytesOf(value);
  if (bytes) return { data: bytes, type: BINARY };
  const pieces = piecesOf(value);
  return pieces ? { pieces, type: '' } : { data: json(value), type: JSON_TYPE };
}

function bytesOf(value) {
  if (Buffer.isBuffer(value)) return value;
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return value instanceof ArrayBuffer ? Buffer.from(value) : null;
}

/** Return what can be iterated as a stream; lists, maps and sets are values. */
function piecesOf(value) {
  if (typeof value !== 'object') return null;
  if (typeof value[Symbol.asyncIterator] === 'function') return value;
  return typeof value[Symbol.iterator] === 'function' && typeof value.next === 'function' ? value : null;
}

function json(value) {
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError(`a handler may not return a ${typeof value}: it cannot be written as JSON`);
  return Buffer.from(text);
}

module.exports = { answer, piece };
