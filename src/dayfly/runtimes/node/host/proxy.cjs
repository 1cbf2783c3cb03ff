'use strict';
// The way out of the jail, for programs that do not ask for one.
//
// Node's `fetch`, `http` and `https` heed HTTP_PROXY and HTTPS_PROXY only in its newest versions. In older ones they are
// given what they connect with by us: a tunnel through the proxy. It is the proxy that looks names up, since there is
// nobody to ask in the jail. What an author brings of agents and dispatchers wins over this.

const http = require('node:http');
const https = require('node:https');
const net = require('node:net');

const DISPATCHER = Symbol.for('undici.globalDispatcher.1');
const MAX_HEAD_BYTES = 16 * 1024;

/** Have everything go through the proxy that `environ` names, where there is one and Node does not do so by itself. */
function install(environ, major) {
  const proxies = { 'http:': environ.http_proxy || environ.HTTP_PROXY, 'https:': environ.https_proxy || environ.HTTPS_PROXY };
  if (major >= 24 || !(proxies['http:'] || proxies['https:'])) return;
  const direct = new Set((environ.no_proxy || environ.NO_PROXY || '').split(',').map((name) => name.trim().toLowerCase()));
  const way = { proxies, direct };
  http.globalAgent = new (agentOf(http.Agent, 'http:', way))({ keepAlive: true });
  https.globalAgent = new (agentOf(https.Agent, 'https:', way))({ keepAlive: true });
  installFetch(way);
}

function agentOf(Agent, protocol, way) {
  return class extends Agent {
    createConnection(options, callback) {
      connect({ ...options, protocol, hostname: options.host }, way, callback);
    }
  };
}

/** Replace what `fetch` connects with, once it is used: until then Node has not loaded it. */
function installFetch(way) {
  const original = globalThis.fetch;
  if (typeof original !== 'function') return;
  globalThis.fetch = function fetch(...parameters) {
    globalThis.fetch = original;
    void globalThis.Response; // loads it
    const Agent = globalThis[DISPATCHER]?.constructor;
    if (Agent?.name === 'Agent') {
      globalThis[DISPATCHER] = new Agent({ connect: (options, callback) => connect(options, way, callback) });
    }
    return original.apply(this, parameters);
  };
}

/** Connect to where `options` say, through the proxy unless it is a place that needs none. */
function connect(options, way, callback) {
  const { protocol, hostname } = options;
  const port = Number(options.port) || (protocol === 'https:' ? 443 : 80);
  const secured = (socket) => (protocol === 'https:' ? secure(socket, options, callback) : callback(null, socket));
  const proxy = way.proxies[protocol];
  if (!proxy || way.direct.has(hostname.toLowerCase())) {
    const socket = net.connect({ host: hostname, port });
    once(socket, 'connect', (error) => (error ? callback(error) : secured(socket)));
    return;
  }
  const { hostname: host, port: door } = new URL(proxy);
  const socket = net.connect({ host, port: Number(door) || 80 });
  const target = `${hostname.includes(':') && hostname[0] !== '[' ? `[${hostname}]` : hostname}:${port}`;
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
  answerOf(socket, (error) => {
    if (!error) return secured(socket);
    socket.destroy();
    return callback(error);
  });
}

/** Read the proxy's answer, and leave in the socket what comes behind it. */
function answerOf(socket, then) {
  let head = Buffer.alloc(0);
  const end = (error) => {
    socket.removeListener('readable', read).removeListener('error', end).removeListener('end', cut);
    then(error);
  };
  const cut = () => end(refusal(head));
  const read = () => {
    for (let piece = socket.read(); piece !== null; piece = socket.read()) head = Buffer.concat([head, piece]);
    const at = head.indexOf('\r\n\r\n');
    if (at < 0 && head.length < MAX_HEAD_BYTES) return;
    if (!/^HTTP\/1\.[01] 200 /.test(head.toString('latin1', 0, 16))) return; // its reason comes, then its end
    if (at + 4 < head.length) socket.unshift(head.subarray(at + 4));
    end(null);
  };
  socket.on('readable', read).once('error', end).once('end', cut);
}

function refusal(answer) {
  const [head, reason] = answer.toString().split('\r\n\r\n', 2);
  const status = / (\d{3}) /.exec(head)?.[1];
  const error = new Error((reason || '').trim() || 'the egress proxy closed the connection');
  error.code = status === '403' ? 'EACCES' : 'ECONNREFUSED';
  return error;
}

function secure(socket, options, callback) {
  const { hostname, servername } = options;
  const name = servername || (net.isIP(hostname) ? '' : hostname);
  const tls = require('node:tls');
  const secured = tls.connect({ ALPNProtocols: ['http/1.1'], ...options, host: undefined, path: undefined, socket, servername: name });
  once(secured, 'secureConnect', (error) => (error ? callback(error) : callback(null, secured)));
}

/** Call back once: at the event, or with the error that comes before it. */
function once(emitter, event, then) {
  const failed = (error) => {
    emitter.removeListener(event, done);
    then(error);
  };
  const done = () => {
    emitter.removeListener('error', failed);
    then(null);
  };
  emitter.once(event, done).once('error', failed);
}

module.exports = { install };
