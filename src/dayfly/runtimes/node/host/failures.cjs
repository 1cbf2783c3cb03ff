'use strict';
// What an exception of the function's code becomes: an answer, a trace in the log, a limit's name if it was one. The
// same answers, codes and sentences as runtimes/python/failures.py gives.

const http = require('node:http');
const path = require('node:path');
const { inspect } = require('node:util');

const output = require('./output.cjs');

const HERE = path.dirname(__filename) + path.sep;
const LIMITS = { ENOMEM: 'oom', ENOSPC: 'disk', EDQUOT: 'disk', EMFILE: 'files' };
const MAX_TRACE_LINES = 200;
const MAX_TRACE_CHARACTERS = 12000;

/** The call cannot be served because of what the caller sent; becomes problem+json, and is not logged. */
class Refused extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

/** What is the same for every call: what each limit means, and what is told of the code to whoever writes it. */
let facts = { sentences: {}, tellsAll: false, codeDir: '', source: '' };

function configure(known) {
  facts = known;
}

/**
 * Return the answer to a call that failed with `error`, and log what the author needs to know.
 *
 * The trace is in the answer only of a function that is being written.
 */
function failure(error, call) {
  if (error instanceof Refused) return problem(error.status, error.code, error.message, call.id);
  const lines = trace(error);
  process.stderr.write(`${lines.join('\n')}\n`);
  const limit = limitOf(error);
  let detail = `the function raised ${nameOf(error)}; its log has the traceback under this call id`;
  if (limit) {
    output.line('p', call.id, `limit: ${facts.sentences[limit]}`);
    detail = `the function hit a limit: ${facts.sentences[limit]}`;
  } else if (facts.tellsAll) {
    detail = `the function raised ${lines[0]}`;
  }
  if (!facts.tellsAll) return problem(500, limit || 'function_failed', detail, call.id);
  const text = `${lines.join('\n')}\n`;
  if (isForReading(call.request.headers)) {
    return { status: 500, headers: [], type: 'text/plain; charset=utf-8', body: Buffer.from(text) };
  }
  return problem(500, limit || 'function_failed', detail, call.id, text);
}

/** Whether a person sees the answer as it comes: curl shows it, and would have been told to ask for JSON. */
function isForReading(headers) {
  return (headers['user-agent'] || '').startsWith('curl/') && !(headers.accept || '').includes('json');
}

/** Log the error's trace. */
function log(error) {
  process.stderr.write(`${trace(error).join('\n')}\n`);
}

/** Return the error as lines: the trace without the frames of the platform's and Node's own, files as authors know them. */
function trace(error) {
  let text;
  try {
    text = error instanceof Error ? inspect(error) : `Uncaught ${inspect(error)}`;
  } catch {
    text = 'an error that cannot be shown';
  }
  const isOurs = (each) => /^\s+at /.test(each) && (each.includes(HERE) || each.includes('node:internal'));
  const lines = text.split('\n').filter((each) => !isOurs(each));
  if (facts.source) lines.forEach((each, at) => (lines[at] = each.replaceAll(facts.codeDir, facts.source)));
  return lines.join('\n').slice(0, MAX_TRACE_CHARACTERS).split('\n').slice(0, MAX_TRACE_LINES);
}

/** Return an error as RFC 9457 tells it. */
function problem(status, code, detail, callId, traceback) {
  const title = http.STATUS_CODES[status];
  const told = { type: `urn:dayfly:problem:${code}`, title, status, detail, code, call_id: callId, traceback };
  return { status, headers: [], type: 'application/problem+json', body: Buffer.from(JSON.stringify(told)) };
}

/** Return the limit that refused; nothing when it was none. */
function limitOf(error) {
  if (!(error instanceof Error)) return '';
  if (error.code === 'EAGAIN') return /^(spawn|fork)/.test(error.syscall || '') ? 'pids' : '';
  if (error.code === 'ERR_WORKER_INIT_FAILED' && /EAGAIN/.test(error.message)) return 'pids';
  if (error instanceof RangeError && /^Array buffer allocation failed/.test(error.message)) return 'oom';
  return LIMITS[error.code] || (error.code === 'ERR_MEMORY_ALLOCATION_FAILED' ? 'oom' : '');
}

function nameOf(error) {
  const name = error instanceof Error ? error.name || error.constructor.name : typeof error;
  return String(name).slice(0, 80);
}

module.exports = { Refused, configure, failure, log, problem, trace };
