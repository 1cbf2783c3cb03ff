'use strict';
// What a function prints, as lines that know their stream and their call: the frames of runtimes/python/output.py.
//
//     RS stream time-in-ns-as-hex SP call-id US text LF
//
// `process.stdout` and `process.stderr` are replaced, and the console with them. Whatever else writes to the descriptors
// 1 and 2 (a child process, a native module) reaches the log through the process beside this one. Lines that come before
// there is a log to write to are kept.
//
// The pipe never blocks for ever: a line that finds it full waits for at most 0.1 s, is then dropped and counted, and so
// are those after it, without waiting, until there is room again; then one line tells how many were lost.

const { AsyncLocalStorage } = require('node:async_hooks');
const fs = require('node:fs');
const { Writable } = require('node:stream');

const MAX_LINE_BYTES = 16 * 1024;
const MAX_KEPT_BYTES = 256 * 1024;
const FULL_WAIT_MS = 100;
const LOOK_MS = 5;

/** The call that the running code works for. */
const current = new AsyncLocalStorage();

const began = BigInt(Date.now()) * 1000000n - process.hrtime.bigint();
const sleeper = new Int32Array(new SharedArrayBuffer(4));

let fd = -1;
let kept = [];
let keptBytes = 0;
let dropped = 0;
let broken = false;

/** Write to the pipe `descriptor` from now on, beginning with the lines that were kept. */
function open(descriptor) {
  fd = descriptor;
  for (const frame of kept) write(frame);
  kept = [];
  keptBytes = 0;
}

/** Write one line, cut into pieces of at most MAX_LINE_BYTES. */
function line(stream, callId, text) {
  const data = Buffer.from(text);
  const head = Buffer.from(`\x1e${stream}${(began + process.hrtime.bigint()).toString(16)} ${callId}\x1f`, 'latin1');
  for (let start = 0; start === 0 || start < data.length; start += MAX_LINE_BYTES) {
    const frame = Buffer.concat([head, data.subarray(start, start + MAX_LINE_BYTES), Buffer.from('\n')]);
    if (fd >= 0) write(frame);
    else keep(frame);
  }
}

function keep(frame) {
  if (keptBytes + frame.length > MAX_KEPT_BYTES) {
    dropped += 1;
  } else {
    kept.push(frame);
    keptBytes += frame.length;
  }
}

function write(frame) {
  if (dropped) {
    const now = (began + process.hrtime.bigint()).toString(16);
    const lost = `\x1ep${now} \x1f${dropped} lines were lost because the log was not read in time\n`;
    frame = Buffer.concat([Buffer.from(lost, 'latin1'), frame]);
  }
  if (broken) frame = Buffer.concat([Buffer.from('\n'), frame]); // the rest of a line was lost: begin a new one
  const deadline = performance.now() + (dropped ? 0 : FULL_WAIT_MS);
  let left = frame;
  while (left.length) {
    try {
      left = left.subarray(fs.writeSync(fd, left));
    } catch (error) {
      // EPIPE: nobody will ever read again
      if (error.code !== 'EAGAIN' || performance.now() >= deadline) break;
      Atomics.wait(sleeper, 0, 0, LOOK_MS);
    }
  }
  if (left.length) {
    broken ||= left.length < frame.length;
    dropped += 1;
  } else {
    broken = false;
    dropped = 0;
  }
}

/** `process.stdout` or `process.stderr`: unfinished lines are kept apart for each call. */
class Output extends Writable {
  constructor(stream, descriptor) {
    super({ decodeStrings: false, defaultEncoding: 'utf8' });
    this.stream = stream;
    this.fd = descriptor;
    this.isTTY = false;
    this.partial = '';
  }

  write(chunk, encoding, callback) {
    if (typeof encoding === 'function') [encoding, callback] = [undefined, encoding];
    let text;
    if (typeof chunk === 'string') text = chunk;
    else if (chunk instanceof Uint8Array) text = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString();
    else throw new TypeError('The "chunk" argument must be of type string or an instance of Uint8Array');
    this.take(text);
    if (callback) process.nextTick(callback);
    return true;
  }

  // What ends a stream (`pipe` does) must not end the function's output.
  end(chunk, encoding, callback) {
    if (typeof chunk === 'function') [chunk, callback] = [undefined, chunk];
    if (typeof encoding === 'function') [encoding, callback] = [undefined, encoding];
    if (chunk !== undefined && chunk !== null) this.write(chunk, encoding);
    if (callback) process.nextTick(callback);
    return this;
  }

  destroy() {
    return this;
  }

  take(text) {
    const call = current.getStore();
    const lines = (this.kept(call) + text).split('\n');
    let rest = lines.pop();
    for (const each of lines) line(this.stream, call ? call.id : '', each);
    if (rest.length > MAX_LINE_BYTES) {
      line(this.stream, call ? call.id : '', rest);
      rest = '';
    }
    if (!call) this.partial = rest;
    else if (rest || call.partial) call.partial = { ...call.partial, [this.stream]: rest };
  }

  kept(call) {
    return call ? (call.partial && call.partial[this.stream]) || '' : this.partial;
  }
}

/** Log what the call left without a line end. */
function endCall(call) {
  const partial = call.partial;
  call.partial = null;
  for (const stream of ['o', 'e']) if (partial && partial[stream]) line(stream, call.id, partial[stream]);
}

/** Log what was left without a line end outside of any call. */
function flush() {
  for (const output of [process.stdout, process.stderr]) {
    if (output.partial) line(output.stream, '', output.partial);
    output.partial = '';
  }
}

/** Take over the process's output; `descriptor` is the log, when there is one already. */
function install(descriptor) {
  for (const [name, stream, number] of [['stdout', 'o', 1], ['stderr', 'e', 2]]) {
    const output = new Output(stream, number);
    Object.defineProperty(process, name, { configurable: true, enumerable: true, get: () => output });
  }
  if (descriptor !== undefined) open(descriptor);
}

/** Have the platform's own lines go to standard error as they are, where nobody is who reads frames. */
function plain() {
  module.exports.line = (stream, callId, text) => process.stderr.write(`${text}\n`);
}

module.exports = { current, endCall, flush, install, line, open, plain };
