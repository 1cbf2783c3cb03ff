'use strict';
const assert = require('node:assert/strict');
const { Readable } = require('node:stream');
const { test } = require('node:test');

const { answer, piece } = require(`${process.env.HOST}/answer.cjs`);

function context(status = 0, headers = {}) {
  return { status: () => status, headers: () => headers };
}

function returned(value, ...set) {
  return answer({ value, failed: false }, context(...set));
}

function plain({ status, type, body, headers }) {
  return [status, type, body === null ? null : body.toString(), headers];
}

const TEXT = 'text/plain; charset=utf-8';

const CASES = [
  ['nothing', undefined, [200, '', '', []]],
  ['null', null, [200, '', '', []]],
  ['text', 'grüße', [200, TEXT, 'grüße', []]],
  ['bytes', Buffer.from('b'), [200, 'application/octet-stream', 'b', []]],
  ['a typed array', new Uint16Array([0x6161]), [200, 'application/octet-stream', 'aa', []]],
  ['an ArrayBuffer', new Uint8Array([97]).buffer, [200, 'application/octet-stream', 'a', []]],
  ['an object', { a: 1 }, [200, 'application/json', '{"a":1}', []]],
  ['a list', [1, 2], [200, 'application/json', '[1,2]', []]],
  ['a number', 5, [200, 'application/json', '5', []]],
  ['false', false, [200, 'application/json', 'false', []]],
  ['a status alone', { statusCode: 204 }, [204, '', '', []]],
  ['a status as text', { statusCode: '404', body: 'no' }, [404, TEXT, 'no', []]],
  ['a body alone', { body: { a: 1 } }, [200, 'application/json', '{"a":1}', []]],
  ['headers', { statusCode: 201, headers: { 'X-A': 1, b: ['2', '3'] }, body: '' },
    [201, TEXT, '', ['X-A', '1', 'b', '2', 'b', '3']]],
  ['pairs of headers', { statusCode: 200, headers: [['set-cookie', 'a'], ['Set-Cookie', 'b']] },
    [200, '', '', ['set-cookie', 'a', 'set-cookie', 'b']]],
  ['a content type', { body: '<p>', headers: { 'content-type': 'text/html' } }, [200, 'text/html', '<p>', []]],
  ['headers that are ours', { body: 'x', headers: { 'Content-Length': 9, Connection: 'close', TE: 'x' } },
    [200, TEXT, 'x', ['TE', 'x']]],
  ['an object that only looks like an answer', { body: 1, more: 2 }, [200, 'application/json', '{"body":1,"more":2}', []]],
];

for (const [name, value, meant] of CASES) {
  test(`${name} becomes an answer`, () => assert.deepEqual(plain(returned(value)), meant));
}

test('what was set on the context holds unless the object says its own', () => {
  assert.deepEqual(plain(returned('x', 418, { 'X-A': '1', 'Content-Type': 'text/html' })), [418, 'text/html', 'x', ['X-A', '1']]);
  const own = { statusCode: 200, headers: { 'x-a': '2' }, body: 'x' };
  assert.deepEqual(plain(returned(own, 418, { 'X-A': '1', b: '3' })), [200, TEXT, 'x', ['x-a', '2', 'b', '3']]);
});

test('a failure has status 500 unless another was set, and the text of an error', () => {
  const fail = (value, ...set) => plain(answer({ value, failed: true }, context(...set)));
  assert.deepEqual(fail(new TypeError('no')), [500, TEXT, 'TypeError: no', []]);
  assert.deepEqual(fail('sorry', 400), [400, TEXT, 'sorry', []]);
  assert.deepEqual(fail({ why: 1 }), [500, 'application/json', '{"why":1}', []]);
});

test('what comes piece by piece is left to come', async () => {
  const pieces = [];
  for await (const each of returned(Readable.from(['a', 'b'])).pieces) pieces.push(each);
  assert.deepEqual(pieces, ['a', 'b']);
  const generator = (function* () {
    yield 1;
  })();
  assert.equal(returned({ statusCode: 201, body: generator }).pieces, generator);
  assert.deepEqual(returned(new Map([[1, 2]])).body.toString(), '{}');
});

test('pieces suggest a content type', () => {
  assert.deepEqual(piece('a'), { data: Buffer.from('a'), type: TEXT });
  assert.deepEqual(piece(Buffer.from('a')), { data: Buffer.from('a'), type: 'application/octet-stream' });
  assert.deepEqual(piece({ a: 1 }), { data: Buffer.from('{"a":1}\n'), type: 'application/x-ndjson' });
  assert.throws(() => piece(undefined), TypeError);
});

test('a Response is taken as fetch has it', async () => {
  const made = returned(new Response('hi', { status: 202, headers: [['x-a', '1'], ['set-cookie', 'a'], ['set-cookie', 'b']] }));
  assert.equal(made.status, 202);
  assert.equal(made.type.toLowerCase(), 'text/plain;charset=utf-8');
  assert.deepEqual(made.headers, ['x-a', '1', 'set-cookie', 'a', 'set-cookie', 'b']);
  const pieces = [];
  for await (const each of made.pieces) pieces.push(Buffer.from(each).toString());
  assert.equal(pieces.join(''), 'hi');
  assert.deepEqual(plain(returned(new Response(null, { status: 204 }))), [204, '', '', []]);
});

for (const status of [199, 600, 'many', 1.5, null, {}]) {
  test(`a status of ${JSON.stringify(status)} is refused`, () => {
    assert.throws(() => returned({ statusCode: status, body: '' }), { name: 'RangeError', message: /from 200 to 599/ });
  });
}

for (const value of [() => 1, Symbol('x')]) {
  test(`a ${typeof value} is refused`, () => assert.throws(() => returned(value), { name: 'TypeError' }));
}
