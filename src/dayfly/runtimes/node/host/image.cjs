'use strict';
// A Node function served from within its own image; the Python twin is runtimes/image.
//
//     node image.cjs, in the function's folder
//
// DAYFLY_HANDLER names the handler; OPENFAAS_NAME, OPENFAAS_NAMESPACE, exec_timeout, max_inflight, port and
// PORT are OpenFaaS's.

const os = require('node:os');

const failures = require('./failures.cjs');
const { Unfit, load } = require('./load.cjs');
const onward = require('./onward.cjs');
const output = require('./output.cjs');
const { Server } = require('./server.cjs');
const { Watch } = require('./watch.cjs');

const UNITS = { ms: 1, s: 1000, m: 60000, h: 3600000 };
const DEFAULT_TIMEOUT_MS = 60000;
const UNLIMITED_MS = 365 * 24 * 3600 * 1000;

/** Return a span as milliseconds: a number of seconds, or Go's notation (1m30s). Throws Unfit. */
function span(text) {
  if (!text) return DEFAULT_TIMEOUT_MS;
  let ms = 0;
  if (/^\d+$/.test(text)) ms = Number(text) * 1000;
  else if (/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) {
    for (const [, number, , unit] of text.matchAll(/(\d+(\.\d+)?)(ms|s|m|h)/g)) ms += Number(number) * UNITS[unit];
  } else throw new Unfit(`env: exec_timeout: ${JSON.stringify(text.slice(0, 40))} is no span of time, as 30s is`);
  return ms || UNLIMITED_MS;
}

function mostOf(text) {
  if (!/^\d{0,6}$/.test(text) || Number(text) > 100000) {
    throw new Unfit(`env: max_inflight: ${JSON.stringify(text.slice(0, 40))} must be a whole number from 0 to 100000`);
  }
  return Number(text);
}

function portOf(text) {
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > 65535) {
    throw new Unfit(`env: port: ${JSON.stringify(text.slice(0, 40))} must be a port, 1 to 65535`);
  }
  return Number(text);
}

async function main() {
  const { env } = process;
  output.plain();
  // The first process of a container is not ended by a signal that it does nothing about.
  const leave = () => process.exit(0);
  process.on('SIGTERM', leave);
  try {
    const facts = {
      codeDir: process.cwd(),
      handler: env.DAYFLY_HANDLER || 'handler',
      function: env.OPENFAAS_NAME || env.DAYFLY_FUNCTION || 'function',
      namespace: env.OPENFAAS_NAMESPACE || 'openfaas-fn',
      hostname: os.hostname(),
      timeoutMs: span(env.exec_timeout),
      sentences: {
        oom: 'it asked for more memory than there is for it',
        disk: 'a disk that it writes to is full',
        files: 'it has too many files and sockets open',
        pids: 'it has too many processes and threads',
      },
      tellsAll: false,
      source: '',
    };
    const limits = { maxInflight: mostOf(env.max_inflight || ''), answersLate: facts.timeoutMs < UNLIMITED_MS };
    const port = portOf(env.port || env.PORT || '8080');
    failures.configure(facts);
    onward.install(output.current);
    process.argv = [process.argv[0], facts.codeDir];
    process.on('uncaughtException', uncaught);
    process.on('unhandledRejection', (error) => failures.log(error));
    const handler = await load(facts.codeDir, facts.handler);
    const watch = new Watch(facts.timeoutMs, (word) => word === 'overdue' && process.exit(1));
    const raw = /^(1|true|yes|on)$/i.test(env.RAW_BODY || '');
    const server = new Server(handler, facts, { raw, watch, limits, onDrained: () => process.exit(0) });
    process.off('SIGTERM', leave);
    for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => server.drain());
    server.listen(port);
  } catch (error) {
    if (error instanceof Unfit) process.stderr.write(`dayfly: ${error.message}\n`);
    else failures.log(error);
    process.exit(1);
  }
}

/** Log what nobody was there to catch; the call it belongs to, if one does, fails by it. */
function uncaught(error) {
  const call = output.current.getStore();
  if (call) call.broke(error);
  else failures.log(error);
}

main();
