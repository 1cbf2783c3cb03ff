'use strict';
// A replica's server: requests from gateways to the author's handler, answers back.
//
// `/_/health` and `/_/ready` are answered here and never reach the handler. A drain finishes the calls at hand: for a
// moment requests already under way to us are still taken, then idle connections and the socket close, and the process
// ends with the last call.

const http = require('node:http');
const { once } = require('node:events');

const { answer, piece } = require('./answer.cjs');
const { Call, run } = require('./call.cjs');
const { Event } = require('./event.cjs');
const failures = require('./failures.cjs');
const limits = require('./limits.cjs');
const output = require('./output.cjs');

const LINGER_MS = 50;
const MAX_HEADER_BYTES = 256 * 1024;
const BODILESS = new Set([204, 304]);

class Server {
  /**
   * `facts` are the same for every call; `watch` looks after the calls. `limits` are those that no gateway minds, as in
   * an image.
   */
  constructor(handler, facts, { raw, watch, limits = {}, onDrained }) {
    this.calls = new Set();
    this.draining = false;
    this.handler = handler;
    this.facts = facts;
    this.raw = raw;
    this.watch = watch;
    this.limits = limits;
    this.onDrained = onDrained;
    const options = { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, maxHeaderSize: MAX_HEADER_BYTES };
    this.server = http.createServer(options, (request, response) => this.take(request, response));
    this.server.timeout = 0;
  }

  /** Serve the connections of a listening socket. */
  listen(handle) {
    this.server.listen(handle);
  }

  /** Finish the calls at hand, then say so. */
  drain() {
    if (this.draining) return;
    this.draining = true;
    setTimeout(() => {
      this.server.close();
      this.server.closeIdleConnections();
      this.ended();
    }, LINGER_MS);
  }

  take(request, response) {
    response.sendDate = false;
    if (request.url.startsWith('/_/') && this.probe(request, response)) return;
    if (this.limits.maxInflight && this.calls.size >= this.limits.maxInflight) {
      limits.refuse(request, response, this.limits.maxInflight);
      return;
    }
    const call = new Call(request, response);
    if (this.limits.answersLate) limits.time(call, this.facts);
    this.calls.add(call);
    if (!this.watch.awake) this.watch.wake(this.calls);
    response.once('close', () => this.closed(call));
    const pieces = [];
    if (request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined) {
      request.resume();
      this.begin(call, Buffer.alloc(0));
      return;
    }
    request.on('data', (each) => pieces.push(each));
    request.once('end', () => this.begin(call, pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)));
  }

  begin(call, body) {
    call.running = true;
    output.current.run(call, () => this.serve(call, body));
  }

  async serve(call, body) {
    try {
      const event = new Event(call.request, body, this.raw);
      const { said, context } = await run(this.handler, event, call, this.facts);
      const reply = answer(said, context);
      if (reply.pieces) await this.stream(call, reply);
      else this.finish(call, reply);
    } catch (error) {
      this.fail(call, error);
    }
    call.running = false;
    if (call.partial) output.endCall(call);
    if (call.over) this.forget(call);
  }

  /** Answer that the call failed, or cut an answer short so that the caller sees that it is not whole. */
  fail(call, error) {
    const reply = failures.failure(error, call);
    if (call.response.headersSent) call.response.socket?.destroySoon();
    else this.finish(call, reply);
  }

  finish(call, reply) {
    const { response } = call;
    if (response.headersSent || response.destroyed) return;
    const lines = reply.type ? ['Content-Type', reply.type, ...reply.headers] : [...reply.headers];
    if (!BODILESS.has(reply.status)) lines.push('Content-Length', String(reply.body.length));
    if (this.draining) lines.push('Connection', 'close');
    response.writeHead(reply.status, lines);
    response.end(reply.body);
  }

  async stream(call, reply) {
    const { response } = call;
    let type = reply.type;
    // A stream that waits for more would otherwise go on for a caller who is not there.
    call.gone().then(() => typeof reply.pieces.destroy === 'function' && reply.pieces.destroy());
    for await (const value of reply.pieces) {
      const { data, type: suggested } = piece(value);
      if (response.destroyed || call.abandoned) return;
      if (!response.headersSent) {
        type ||= suggested;
        const lines = ['Content-Type', type, ...reply.headers];
        if (this.draining) lines.push('Connection', 'close');
        response.writeHead(reply.status, lines);
      }
      if (!response.write(data) && !response.destroyed) {
        await Promise.race([once(response, 'drain'), call.gone()]);
      }
    }
    if (response.headersSent) response.end();
    else this.finish(call, { ...reply, body: Buffer.alloc(0) });
  }

  closed(call) {
    call.over = true;
    if (call.running && !call.response.writableFinished) call.abandon();
    if (!call.running) this.forget(call);
  }

  forget(call) {
    this.calls.delete(call);
    if (this.draining) this.ended();
  }

  ended() {
    if (!this.calls.size) this.onDrained();
  }

  probe(request, response) {
    const path = request.url.split('?', 1)[0];
    if (path !== '/_/health' && path !== '/_/ready') return false;
    const refused = this.draining && path === '/_/ready';
    const body = refused ? 'draining' : 'OK';
    request.resume();
    response.writeHead(refused ? 503 : 200, ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', String(body.length)]);
    response.end(body);
    return true;
  }
}

module.exports = { Server };
