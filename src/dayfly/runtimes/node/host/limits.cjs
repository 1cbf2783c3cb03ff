'use strict';
// What the gateway does around a replica elsewhere, done by the server itself inside an image; the Python twin is
// runtimes/image/limits.py.
//
// JavaScript that holds the loop cannot be answered for: its caller waits until it is over.

const failures = require('./failures.cjs');

/** Answer that as many calls run as may. */
function refuse(request, response, most) {
  const body = `Concurrent request limit exceeded. Max concurrent requests: ${most}\n`;
  request.resume();
  response.writeHead(429, [
    'Content-Type', 'text/plain', 'Content-Length', String(body.length),
    'X-OpenFaaS-Internal', 'faas-middleware', 'Retry-After', '1',
  ]);
  response.end(body);
}

/** Have the call answered with 504 once its time is over; what goes on of it counts as without a caller then. */
function time(call, facts) {
  const { response } = call;
  const timer = setTimeout(() => {
    if (response.headersSent) {
      response.destroy();
    } else {
      const seconds = facts.timeoutMs / 1000;
      const detail = `${facts.function} did not answer within its timeout of ${seconds} s (exec_timeout).`;
      const reply = failures.problem(504, 'timeout', detail, call.id);
      response.writeHead(504, [
        'Content-Type', reply.type, 'Content-Length', String(reply.body.length),
        'X-OpenFaaS-Internal', 'of-watchdog', 'Connection', 'close',
      ]);
      response.end(reply.body);
    }
    call.abandon();
  }, facts.timeoutMs);
  response.once('close', () => clearTimeout(timer));
}

module.exports = { refuse, time };
