'use strict';
// The request as a handler sees it: body, headers, method, query and path, as in OpenFaaS's Node templates.
//
// | content type | `event.body` |
// |---|---|
// | application/json, application/*+json | what the JSON says |
// | application/x-www-form-urlencoded | an object, see forms.cjs |
// | text/*, none | a string |
// | anything else | a Buffer |
//
// A request that carries no body at all has `{}`. With RAW_BODY=true in its environment a function gets a Buffer
// always; `event.rawBody` is one in any case.

const forms = require('./forms.cjs');
const { Refused } = require('./failures.cjs');

class Event {
  #raw;

  constructor(request, raw, asRaw) {
    const mark = request.url.indexOf('?');
    this.#raw = raw;
    this.headers = request.headers;
    this.body = asRaw ? raw : understood(request.headers, raw);
    this.method = request.method;
    this.query = mark < 0 ? {} : forms.parse(request.url.slice(mark + 1));
    this.path = (mark < 0 ? request.url : request.url.slice(0, mark)) || '/';
  }

  /** The body as it came. */
  get rawBody() {
    return this.#raw;
  }

  /** The body as text. */
  get text() {
    return this.#raw.toString();
  }

  /** Return the body decoded from JSON. Throws SyntaxError. */
  json() {
    return JSON.parse(this.#raw.toString());
  }
}

function understood(headers, raw) {
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return {};
  const kind = (headers['content-type'] || 'text/plain').split(';', 1)[0].trim().toLowerCase();
  if (kind.startsWith('text/')) return raw.toString();
  if (kind === 'application/json' || (kind.startsWith('application/') && kind.endsWith('+json'))) {
    return raw.length ? decoded(raw) : {};
  }
  return kind === 'application/x-www-form-urlencoded' ? forms.parse(raw.toString()) : raw;
}

function decoded(raw) {
  try {
    return JSON.parse(raw.toString());
  } catch (error) {
    throw new Refused(400, 'invalid_body', `the body is not JSON, as its Content-Type says: ${error.message}`);
  }
}

module.exports = { Event };
