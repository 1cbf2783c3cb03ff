'use strict';
// One call, and the context that its handler gets: where it runs, how long it may take, and how to answer.
//
// A handler answers by what it returns, by `context.succeed(value)` or `context.fail(error)`, or by the callback that is
// its third argument; the first of them counts. `context.status(code)` and `context.headers({…})` are what OpenFaaS's
// Node templates have, and hold for whichever way is taken.

const { randomUUID } = require('node:crypto');

const failures = require('./failures.cjs');

class Call {
  #id = '';
  #gone = null;
  #leave = null;
  #abort = null;

  constructor(request, response) {
    this.request = request;
    this.response = response;
    this.began = performance.now();
    this.partial = null;
    /** Whether the author's code still works on it. */
    this.running = false;
    /** Whether nothing more can be sent. */
    this.over = false;
    /** Whether its caller has gone while it still ran. */
    this.abandoned = false;
    /** Makes the handler's promise fail, until that is settled. */
    this.reject = null;
  }

  /** The call's id, the same in logs and in the answer's X-Call-Id. */
  get id() {
    if (!this.#id) this.#id = String(this.request.headers['x-call-id'] || randomUUID());
    return this.#id;
  }

  /** An AbortSignal that fires when the caller has gone. */
  get signal() {
    this.#abort ??= new AbortController();
    if (this.abandoned) this.#abort.abort();
    return this.#abort.signal;
  }

  /** Return a promise that is fulfilled when the caller has gone. */
  gone() {
    this.#gone ??= new Promise((resolve) => (this.#leave = resolve));
    if (this.abandoned) this.#leave();
    return this.#gone;
  }

  /** Fail by what was thrown; what comes after the call was answered can only be logged. */
  broke(error) {
    if (this.reject !== null) this.reject(error);
    else failures.log(error);
  }

  /** Note that the caller has gone. */
  abandon() {
    this.abandoned = true;
    this.#abort?.abort();
    this.#leave?.();
  }
}

/** What a handler answered with, when it did not return it. */
class Said {
  constructor(value, failed) {
    this.value = value;
    this.failed = failed;
  }
}

class Context {
  #call;
  #facts;
  #status = 0;
  #headers = {};
  #settle;

  constructor(call, facts, settle) {
    this.#call = call;
    this.#facts = facts;
    this.#settle = settle;
  }

  /** Set the answer's status; without an argument return it, 0 when none was set. */
  status(code) {
    if (code === undefined) return this.#status;
    this.#status = code;
    return this;
  }

  /** Set the answer's headers; without an argument return them. */
  headers(values) {
    if (values === undefined) return this.#headers;
    this.#headers = values;
    return this;
  }

  /** Answer with `value`. */
  succeed(value) {
    this.#settle(new Said(value, false));
  }

  /** Answer that it went wrong: status 500 unless another was set. */
  fail(error) {
    this.#settle(new Said(error, true));
  }

  get callId() {
    return this.#call.id;
  }

  /** The replica's name. */
  get hostname() {
    return this.#facts.hostname;
  }

  get function() {
    return this.#facts.function;
  }

  get namespace() {
    return this.#facts.namespace;
  }

  /** How long one call may take, in milliseconds. */
  get timeoutMs() {
    return this.#facts.timeoutMs;
  }

  /** Return the milliseconds left before the caller is told that the call took too long; never negative. */
  remainingMs() {
    return Math.max(0, this.#call.began + this.#facts.timeoutMs - performance.now());
  }

  /** An AbortSignal that fires when the caller has gone, as it has once the time is over. */
  get signal() {
    return this.#call.signal;
  }
}

/**
 * Call the handler; return a promise of what it answers with. It rejects with what the handler throws.
 *
 * A handler that takes a callback and returns nothing may answer later; any other that returns nothing has answered
 * with nothing.
 */
function run(handler, event, call, facts) {
  return new Promise((resolve, reject) => {
    const settle = (said) => {
      if (call.reject === null) return;
      call.reject = null;
      resolve({ said, context });
    };
    const context = new Context(call, facts, settle);
    const callback = (error, value) => (error ? context.fail(error) : context.succeed(value));
    const returned = (value) => {
      if (value !== undefined || handler.length < 3) settle(new Said(value, false));
    };
    call.reject = (error) => {
      call.reject = null;
      reject(error);
    };
    let result;
    try {
      result = handler(event, context, callback);
    } catch (error) {
      call.broke(error);
      return;
    }
    if (result !== null && typeof result === 'object' && typeof result.then === 'function') {
      result.then(returned, (error) => call.broke(error));
    } else {
      returned(result);
    }
  });
}

module.exports = { Call, run };
