'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const { after, before, test } = require('node:test');

const { install } = require(`${process.env.HOST}/proxy.cjs`);

const REFUSED = 'HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nit is not granted.\n';
const asked = [];
let target, secure, proxy;

before(async () => {
  target = http.createServer((request, response) => response.end(`${request.method} ${request.url}`));
  await new Promise((done) => target.listen(0, '127.0.0.1', done));
  const pem = fs.readFileSync(process.env.SERVER_PEM);
  secure = https.createServer({ key: pem, cert: pem }, (request, response) => response.end(`secure ${request.url}`));
  await new Promise((done) => secure.listen(0, '127.0.0.1', done));
  proxy = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (head) => {
      const place = / (\S+) /.exec(head.toString())[1];
      asked.push(head.toString().split('\r\n')[0]);
      if (place.startsWith('refused')) return socket.end(REFUSED);
      if (place.startsWith('cut')) return socket.destroy();
      const way = net.connect((place.endsWith(':443') ? secure : target).address().port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        socket.pipe(way).pipe(socket);
      });
      way.on('error', () => socket.destroy());
    });
  });
  await new Promise((done) => proxy.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${proxy.address().port}`;
  install({ HTTP_PROXY: url, HTTPS_PROXY: url, NO_PROXY: 'localhost, 127.0.0.1' }, 20);
});

after(() => {
  http.globalAgent.destroy();
  https.globalAgent.destroy();
  for (const each of [target, secure]) {
    each.closeAllConnections();
    each.close();
  }
  proxy.close();
});

function get(url, client = http) {
  return new Promise((resolve, reject) => {
    client.get(url, (response) => {
      let text = '';
      response.on('data', (piece) => (text += piece)).on('end', () => resolve(text));
    }).on('error', reject);
  });
}

test('fetch goes through the proxy, which looks the name up', async () => {
  assert.equal(await (await fetch('http://fetched.example:81/a?b')).text(), 'GET /a?b');
  assert.equal(await (await fetch('http://fetched.example/post', { method: 'POST', body: 'x' })).text(), 'POST /post');
  assert.ok(asked.includes('CONNECT fetched.example:81 HTTP/1.1'));
  assert.ok(asked.includes('CONNECT fetched.example:80 HTTP/1.1'));
});

test('http goes through the proxy, over one connection for several requests', async () => {
  assert.equal(await get('http://plain.example/a'), 'GET /a');
  assert.equal(await get('http://plain.example/b'), 'GET /b');
  assert.deepEqual(asked.filter((line) => line.includes('plain.example')), ['CONNECT plain.example:80 HTTP/1.1']);
});

test('https goes through the proxy and looks at the name in the certificate', async () => {
  assert.equal(await get('https://secure.example/a', https), 'secure /a');
  assert.equal(await (await fetch('https://secure.example/b')).text(), 'secure /b');
  assert.ok(asked.includes('CONNECT secure.example:443 HTTP/1.1'));
  await assert.rejects(get('https://another.example/', https), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  const refused = await fetch('https://another.example/').catch((error) => error);
  assert.equal(refused.cause.code, 'ERR_TLS_CERT_ALTNAME_INVALID');
});

test('what needs no proxy goes its own way', async () => {
  const before = asked.length;
  assert.equal(await get(`http://127.0.0.1:${target.address().port}/c`), 'GET /c');
  assert.equal(await (await fetch(`http://127.0.0.1:${target.address().port}/d`)).text(), 'GET /d');
  assert.equal(asked.length, before);
});

test('why the proxy refuses is in the error', async () => {
  await assert.rejects(get('http://refused.example/'), { message: 'it is not granted.', code: 'EACCES' });
  const refused = await fetch('http://refused.example/').catch((error) => error);
  assert.equal(refused.cause.message, 'it is not granted.');
  await assert.rejects(get('http://cut.example/'), { code: /ECONN/ });
});
