'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');

const { parse } = require(`${process.env.HOST}/forms.cjs`);

const CASES = {
  '': {},
  'a=1': { a: '1' },
  'a': { a: '' },
  '=1': { '': '1' },
  'a=1&a=2&a=3': { a: ['1', '2', '3'] },
  'a[]=1&a[]=2': { a: ['1', '2'] },
  'a[1]=x&a[0]=y': { a: ['x', 'y'] },
  'a[0][b]=1&a[0][c]=2&a[1][b]=3': { a: [{ b: '1', c: '2' }, { b: '3' }] },
  'a[b]=1&a[c]=2': { a: { b: '1', c: '2' } },
  'a[b][c][]=1': { a: { b: { c: ['1'] } } },
  'a=1&a[b]=2': { a: { 0: '1', b: '2' } },
  'a[]=1&a[b]=2': { a: { 0: '1', b: '2' } },
  'a[99]=1': { a: { 99: '1' } },
  'a+b=c%20d%2B': { 'a b': 'c d+' },
  'a=%zz&b=%E2%82%AC': { a: '%zz', b: '€' },
  'a[b=1': { 'a': { '[b': '1' } },
  'a[b][c][d][e][f][g]=1': { a: { b: { c: { d: { e: { f: { '[g]': '1' } } } } } } },
};

for (const [text, meant] of Object.entries(CASES)) {
  test(`${text} is understood`, () => assert.deepEqual(parse(text), meant));
}

test('what a caller sends does not change other objects', () => {
  parse('__proto__[polluted]=1&constructor[prototype][polluted]=1&a[__proto__][polluted]=1&toString=1');
  assert.equal({}.polluted, undefined);
  assert.equal(typeof parse('toString=1').toString, 'function');
});

test('a name that comes often makes a list of bounded work', () => {
  assert.equal(parse(Array(5000).fill('a=1').join('&')).a.length, 1000);
});

test('whatever is sent is read, and JSON can hold it', () => {
  const words = ['a', 'b', '[', ']', '[]', '[0]', '[1]', '[length]', '=', '&', '%', '%5B', '+', '__proto__', 'constructor'];
  let seed = 7;
  const next = (most) => (seed = (seed * 1103515245 + 12345) % 2147483648) % most;
  for (let round = 0; round < 20000; round += 1) {
    const text = Array.from({ length: next(24) }, () => words[next(words.length)]).join('');
    assert.doesNotThrow(() => JSON.stringify(parse(text)), text);
  }
  assert.deepEqual(Object.keys(Object.prototype), []);
});
