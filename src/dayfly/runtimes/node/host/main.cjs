'use strict';
// The host of one replica: loads the author's handler, then waits to be told whose calls it answers.
//
//     node FLAGS main.cjs FACTS-AS-JSON, with a channel to the process beside it (see ../shim.py)
//
// The channel is the one that Node's own `fork` makes, because that is the only way in which a Node process can be
// handed a descriptor. Messages from the other side have a `cmd` that begins with NODE_, which keeps them from listeners
// that the function's own code may have for messages:
//
//     → log      a pipe to write lines to          ← loaded              the handler can be called
//     → serve    a listening socket, and a name    ← failed, and lines   it cannot
//     → drain                                      ← runs, rests, overdue (see watch.cjs)
//     → rehearse a connection to answer one request from, by a handler of ours

const facts = JSON.parse(process.argv[2]);

const net = require('node:net');

const failures = require('./failures.cjs');
const { Unfit, load } = require('./load.cjs');
const onward = require('./onward.cjs');
const output = require('./output.cjs');
const proxy = require('./proxy.cjs');
const { Server } = require('./server.cjs');
const { Watch } = require('./watch.cjs');

const send = process.send.bind(process);
let server = null;

function tell(word, lines) {
  send({ word, lines });
}

function receive(message, handle) {
  switch (message.cmd) {
    case 'NODE_DAYFLY_LOG':
      output.open(handle.fd);
      break;
    case 'NODE_DAYFLY_REHEARSE':
      rehearse(handle);
      break;
    case 'NODE_DAYFLY_SERVE':
      facts.hostname = message.name;
      process.env.HOSTNAME = process.env.DAYFLY_REPLICA = message.name;
      server.listen(handle);
      break;
    case 'NODE_DAYFLY_DRAIN':
      if (server) server.drain();
      break;
  }
}

/** Go the way of a call once, so that the first real one finds everything compiled and set up. */
function rehearse(handle) {
  require('node:cluster'); // which listening asks for
  const watch = { awake: true };
  const stage = new Server(async (event) => event.body, facts, { raw: false, watch });
  stage.server.emit('connection', new net.Socket({ handle, readable: true, writable: true }));
}

/** Log what nobody was there to catch; the call it belongs to, if one does, fails by it. */
function uncaught(error) {
  const call = output.current.getStore();
  if (call) call.broke(error);
  else failures.log(error);
}

async function main() {
  output.install();
  failures.configure(facts);
  proxy.install(process.env, Number(process.versions.node.split('.', 1)[0]));
  onward.install(output.current);
  process.on('internalMessage', receive);
  process.channel.ref();
  for (const name of ['send', 'disconnect']) delete process[name];
  // Somebody who ends the function's processes by name must not cost the calls at hand: the platform says when to go.
  process.on('SIGTERM', () => {});
  process.on('uncaughtException', uncaught);
  process.on('unhandledRejection', (error) => failures.log(error));
  process.argv = [process.argv[0], facts.codeDir];
  try {
    const handler = await load(facts.codeDir, facts.handler);
    const watch = new Watch(facts.timeoutMs, tell);
    const raw = /^(1|true|yes|on)$/i.test(process.env.RAW_BODY || '');
    const onDrained = () => {
      output.flush();
      process.exit(0);
    };
    server = new Server(handler, facts, { raw, watch, onDrained });
  } catch (error) {
    tell('failed', error instanceof Unfit ? [error.message] : failures.trace(error));
    return;
  }
  tell('loaded');
}

main();
