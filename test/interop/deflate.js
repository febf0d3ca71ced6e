'use strict';
/*
 * node-ws, with permessage-deflate as JSON says, on JSON-RPC:
 *
 *   node deflate.js server OPTIONS       echoes; prints "port N", and for each
 *                                        client "agreed EXTENSIONS"
 *   node deflate.js client OPTIONS URL   wants everything echoed; prints
 *                                        "agreed EXTENSIONS", then "passed"
 *
 * Ends with its stdin.
 */
const assert = require('assert');
const WebSocket = load('ws');

/* A package of Debian, also where node is another than Debian's. */
function load(name) {
  for (const path of [name, '/usr/share/nodejs/' + name]) {
    try {
      return require(path);
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND')
        throw error;
    }
  }
  console.log('missing node-' + name);
  process.exit(1);
}

const [role, options, url] = process.argv.slice(2);
const perMessageDeflate = JSON.parse(options);

function serve() {
  const server = new WebSocket.Server(
    {host: '127.0.0.1', port: 0, perMessageDeflate});
  server.on('listening', () => console.log('port ' + server.address().port));
  server.on('connection', client => {
    console.log('agreed ' + client.extensions + '.');
    client.on('error', error => console.log('failed ' + error.message));
    client.on('message', bytes => {
      const {id, params} = JSON.parse(bytes);
      const answer = Buffer.from(JSON.stringify(
        {jsonrpc: '2.0', id, result: params}));
      /* Whole, and as fragments with pings between. */
      const cut = id % 2 ? answer.length : answer.length >> 1;
      client.send(answer.subarray(0, cut),
        {binary: false, fin: cut === answer.length});
      if (cut < answer.length) {
        client.ping('within');
        client.send(answer.subarray(cut), {binary: false});
      }
    });
  });
}

/* Texts that shrink, texts that hardly do, and what isn't ASCII. */
function text(i) {
  const size = [1, 30, 300, 3000, 70000, 200000][i % 6];
  let seed = i;
  let made = '';
  while (made.length < size) {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    made += i % 3 === 0 ? 'again and ' : i % 3 === 1 ? seed.toString(36) :
      'gr\u00fc\u00dfe \u20ac \u{1F600}';
  }
  return made;
}

async function ask() {
  const client = new WebSocket(url, {perMessageDeflate});
  const answers = [];
  client.on('message', bytes => {
    const {id, result} = JSON.parse(bytes);
    assert.strictEqual(id, answers.length + 1);
    assert.deepStrictEqual(result, [text(id)]);
    answers.push(result);
    if (answers.length === 18)
      client.close(1000);
  });
  client.on('open', () => {
    console.log('agreed ' + client.extensions + '.');
    for (let id = 1; id <= 18; id++)
      client.send(JSON.stringify(
        {jsonrpc: '2.0', id, method: 'echo', params: [text(id)]}));
  });
  client.on('close', code => {
    assert.strictEqual(code, 1000);
    assert.strictEqual(answers.length, 18);
    console.log('passed');
  });
}

if (role === 'server')
  serve();
else
  ask();
process.stdin.on('end', () => process.exit()).resume();
