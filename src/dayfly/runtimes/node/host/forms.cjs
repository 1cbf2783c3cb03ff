'use strict';
// Queries and forms: `a=1&b[c]=2&d[]=3` as an object, as Express's extended parser reads them.
//
// A name that comes twice makes a list. Brackets nest, up to MAX_DEPTH; `[]` and small numbers make lists, in the order
// that they were sent in. Names that every object has already (`__proto__`, `constructor` …) are left out: what a caller
// sends must not change how objects of the function behave.

const MAX_DEPTH = 5;
const MAX_INDEX = 20;
const MAX_PAIRS = 1000;

/** Return the object that `text` means; broken percent-encodings are taken as they are. */
function parse(text) {
  const found = {};
  let pairs = 0;
  for (const pair of text.split('&')) {
    if (!pair) continue;
    if ((pairs += 1) > MAX_PAIRS) break;
    const at = pair.indexOf('=');
    const name = decode(at < 0 ? pair : pair.slice(0, at));
    put(found, keys(name), at < 0 ? '' : decode(pair.slice(at + 1)));
  }
  return found;
}

function decode(text) {
  const spaced = text.replaceAll('+', ' ');
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}

/** Return the way that `a[b][]` names: its words. What nests too deep is one last word. */
function keys(name) {
  const open = name.indexOf('[');
  if (open <= 0) return [name];
  const way = [name.slice(0, open)];
  let rest = name.slice(open);
  for (let depth = 0; depth < MAX_DEPTH; depth += 1) {
    const match = /^\[([^[\]]*)\]/.exec(rest);
    if (!match) break;
    way.push(match[1]);
    rest = rest.slice(match[0].length);
  }
  if (rest) way.push(rest);
  return way;
}

function put(root, way, value) {
  if (way.some((word) => word in Object.prototype)) return;
  let node = root;
  for (let at = 0; at < way.length - 1; at += 1) {
    const word = Array.isArray(node) && !(way[at] in node) ? node.length : way[at];
    const next = node[word];
    const inList = isPlaceInList(way[at + 1]);
    if (next === undefined) node[word] = inList ? [] : {};
    else if (typeof next !== 'object') node[word] = [next];
    if (Array.isArray(node[word]) && !inList) node[word] = { ...node[word] };
    node = node[word];
  }
  const last = way.at(-1);
  if (Array.isArray(node)) node.push(value);
  else if (node[last] === undefined) node[last] = value;
  else if (Array.isArray(node[last])) node[last].push(value);
  else if (typeof node[last] === 'object') node[last][value] = true;
  else node[last] = [node[last], value];
}

function isPlaceInList(word) {
  return word === '' || (/^\d{1,2}$/.test(word) && Number(word) <= MAX_INDEX);
}

module.exports = { parse };
