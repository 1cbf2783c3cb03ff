'use strict';
// A function in Node that tries to get out, as attacker/handler.py does: what to try, and on what, comes with the call.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const dgram = require('node:dgram');
const path = require('node:path');

const own = (name) => path.join(process.env.TMPDIR, name);

function connected(options) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(options, () => resolve(socket.destroy() && 'connected')).once('error', reject);
  });
}

function listening(where) {
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => socket.destroy()).once('error', reject);
    server.listen(where, () => resolve(server));
  });
}

function anyOf(pids, action) {
  let failure = Object.assign(new Error('nobody'), { code: 'ESRCH' });
  for (const pid of pids.length ? pids : [process.pid]) {
    try {
      return action(pid);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

const ACTIONS = {
  read: (file) => fs.readFileSync(file).length,
  own_file: () => fs.writeFileSync(own('own'), 'mine'),
  write: (file) => fs.writeFileSync(file, 'x'),
  unix: (name) => connected({ path: name }),
  own_unix: async () => {
    fs.rmSync(own('own.sock'), { force: true });
    const server = await listening(own('own.sock'));
    return connected({ path: own('own.sock') }).finally(() => server.close());
  },
  tcp: (host, port) => connected({ host, port }),
  own_tcp: async () => {
    const server = await listening({ port: 0, host: '127.0.0.1' });
    return connected({ port: server.address().port, host: '127.0.0.1' }).finally(() => server.close());
  },
  udp: (host, port) =>
    new Promise((resolve, reject) => {
      const socket = dgram.createSocket('udp4').once('error', reject);
      socket.send('exfiltrated', port, host, (error) => {
        socket.close();
        if (error) reject(error);
        else resolve('sent');
      });
    }),
  signal_all: (pids) => anyOf(pids, (pid) => process.kill(pid, 0)),
  environ_of: (pids) => anyOf(pids, (pid) => fs.readFileSync(`/proc/${pid}/environ`).length || fs.readFileSync('/nobody')),
  memory_of: (pids) => anyOf(pids, (pid) => fs.closeSync(fs.openSync(`/proc/${pid}/mem`))),
  spawn: (program, ...parameters) => execFileSync(program, parameters, { stdio: ['ignore', 'pipe', 'ignore'] }).toString(),
  escalate: () => process.setuid(0),
  inspect: () => ({
    uid: process.getuid(),
    files: fs.readdirSync('/proc/self/fd').map((fd) => {
      try {
        return fs.readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return '/proc/';
      }
    }),
    status: Object.fromEntries(
      fs.readFileSync('/proc/self/status', 'utf8').trim().split('\n').map((line) => line.split(':\t', 2)),
    ),
    environ: process.env,
  }),
};

module.exports = async (event) => {
  const { action, args = [] } = JSON.parse(event.text);
  try {
    return { outcome: 'done', told: await ACTIONS[action](...args) };
  } catch (error) {
    return { outcome: error.code || `exit ${error.status}` };
  }
};
