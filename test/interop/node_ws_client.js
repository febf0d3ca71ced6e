'use strict';
/*
 * A client on node-ws of a uvow server:
 *
 *   node node_ws_client.js PROTOCOL URL CASE
 *
 * Says "passed" when all was as it should be; ends with its stdin.
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

/* How each protocol writes a call, and reads an answer: [id, error, value]. */
const protocols = {
  callback_id: {
    call: (id, name, params) => ({type: name, ...params, callback_id: id}),
    notify: (name, params) => ({type: name, ...params}),
    /* The server's answer to echo is all that the call was. */
    echoed: (id, name, params) => ({type: name, ...params, callback_id: id}),
    read: ({callback_id: id, result, data}) => {
      assert.strictEqual(typeof result, 'boolean');
      return [id, !result, data];
    },
    unknown: 'Method not found',
    unreadable: null,
  },
  jsonrpc2: {
    call: (id, method, params) => ({jsonrpc: '2.0', id, method, params}),
    notify: (method, params) => ({jsonrpc: '2.0', method, params}),
    echoed: (id, name, params) => params,
    read: ({jsonrpc, id, result, error}) => {
      assert.strictEqual(jsonrpc, '2.0');
      assert.strictEqual(error === undefined, result !== undefined);
      return [id, error !== undefined, error === undefined ? result : error];
    },
    unknown: {code: -32601, message: 'Method not found'},
    unreadable: {code: -32700, message: 'Parse error'},
  },
};

const [protocolName, url, caseName] = process.argv.slice(2);
const protocol = protocols[protocolName];

/* An open connection, with the messages that came. */
class Connection {
  constructor(...args) {
    this.socket = new WebSocket(url, ...args);
    this.messages = [];
    this.waiting = [];
    this.socket.on('message', (bytes, isBinary) => {
      assert.strictEqual(isBinary, false);
      this.messages.push(JSON.parse(bytes));
      if (this.waiting.length)
        this.waiting.shift()(this.messages.shift());
    });
    this.closed = new Promise(resolve => this.socket.on('close', resolve));
  }

  open() {
    return new Promise((resolve, reject) => {
      this.socket.on('open', () => resolve(this));
      this.socket.on('error', reject);
    });
  }

  /* The next message. */
  next() {
    if (this.messages.length)
      return Promise.resolve(this.messages.shift());
    return new Promise(resolve => this.waiting.push(resolve));
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  call(id, name, params) {
    this.send(protocol.call(id, name, params));
  }

  async answer() {
    return protocol.read(await this.next());
  }
}

const connect = (...args) => new Connection(...args).open();

const cases = {
  async echo() {
    const c = await connect();
    for (const id of [1, 7, 9007199254740991, 'text', 'with "quotes" \u20ac']) {
      const params = {x: [1, 'gr\u00fc\u00dfe', null, {deep: [[]]}]};
      c.call(id, 'echo', params);
      assert.deepStrictEqual(await c.answer(),
        [id, false, protocol.echoed(id, 'echo', params)]);
    }
  },

  /* Futures, which the server settles in another order. */
  async order() {
    const c = await connect();
    for (let id = 1; id <= 50; id++)
      c.call(id, 'hold', {x: id});
    c.call(51, 'release');
    const held = [];
    for (let i = 1; i <= 51; i++) {
      const answer = await c.answer();
      if (answer[0] === 51)
        assert.deepStrictEqual(answer, [51, false, 50]);
      else
        held.push(answer);
    }
    for (let id = 1; id <= 50; id++)
      assert.deepStrictEqual(held.pop(), [id, false, 'held']);
  },

  async many() {
    const c = await connect();
    const left = new Set();
    for (let id = 1; id <= 5000; id++) {
      c.call(id, 'echo', {x: id});
      left.add(id);
    }
    while (left.size) {
      const [id, failed, value] = await c.answer();
      assert(left.delete(id));
      assert.strictEqual(failed, false);
      assert.strictEqual(value.x, id);
    }
  },

  async unknown() {
    const c = await connect();
    c.call(1, 'no such method');
    assert.deepStrictEqual(await c.answer(), [1, true, protocol.unknown]);
  },

  /* An error of the method's, with data. */
  async fail() {
    const c = await connect();
    c.call(1, 'fail');
    const [id, failed, error] = await c.answer();
    assert.deepStrictEqual([id, failed], [1, true]);
    assert.deepStrictEqual(error, protocolName === 'jsonrpc2' ?
      {code: 404, message: 'no such "table"', data: {hint: 1}} : {hint: 1});
    c.call(2, 'broken');
    assert.strictEqual((await c.answer())[1], true);
  },

  /* Nobody answers a notification, whatever becomes of it. */
  async notify() {
    const c = await connect();
    for (const name of ['echo', 'fail', 'no such method'])
      c.send(protocol.notify(name, {x: 1}));
    c.call(9, 'release');
    assert.deepStrictEqual(await c.answer(), [9, false, 0]);
  },

  /* What can't be read is refused, and harms nothing else. */
  async garbage() {
    const c = await connect();
    const noJson = ['', '{', '[', '{"a":1',
      Buffer.from(JSON.stringify(protocol.call(1, 'echo', {}))),
      Buffer.alloc(0)];
    const noRequest = ['null', '42', '"text"', '{"a":1}'];
    for (const bytes of [...noJson, ...noRequest]) {
      c.socket.send(bytes);
      if (protocolName !== 'jsonrpc2')
        continue;
      const {id, error} = await c.next();
      assert.strictEqual(id, null);
      assert.deepStrictEqual(error, noRequest.includes(bytes)
        ? {code: -32600, message: 'Invalid Request'} : protocol.unreadable);
    }
    c.call(3, 'echo', {x: 5});
    assert.strictEqual((await c.answer())[0], 3);
    assert.deepStrictEqual(c.messages, []);
  },

  async ping() {
    const c = await connect();
    const pongs = [];
    c.socket.on('pong', bytes => pongs.push(bytes.toString()));
    c.socket.ping('one');
    c.socket.ping();
    c.socket.ping('x'.repeat(125));
    c.call(1, 'echo', {});
    await c.answer();
    assert.deepStrictEqual(pongs, ['one', '', 'x'.repeat(125)]);
  },

  async fragments() {
    const c = await connect();
    const params = {x: '\u{1F44B} gr\u00fc\u00dfe'};
    const bytes = Buffer.from(JSON.stringify(protocol.call(4, 'echo', params)));
    for (let at = 0; at < bytes.length; at++) {
      c.socket.send(bytes.subarray(at, at + 1),
        {binary: false, fin: at === bytes.length - 1});
      if (at % 7 === 0)
        c.socket.ping('between');
    }
    assert.deepStrictEqual(await c.answer(),
      [4, false, protocol.echoed(4, 'echo', params)]);
  },

  async mebibyte() {
    const c = await connect();
    const params = {x: 'z'.repeat(1 << 20)};
    for (let id = 1; id <= 4; id++)
      c.call(id, 'echo', params);
    for (let id = 1; id <= 4; id++) {
      const [got, failed, value] = await c.answer();
      assert.deepStrictEqual([got, failed], [id, false]);
      assert.strictEqual(value.x, params.x);
    }
  },

  async subprotocol() {
    const c = await connect(['other', 'uvow.two', 'uvow.one']);
    assert.strictEqual(c.socket.protocol, 'uvow.two');
    c.socket.close();
    const none = new Connection(['other']);
    /* node-ws ends what has no subprotocol where it offered some. */
    await assert.rejects(none.open(), /no subprotocol/);
    assert.strictEqual((await connect()).socket.protocol, '');
  },

  /* The close code comes back. */
  async close() {
    for (const code of [1000, 1001, 1011, 3000, 4999, undefined]) {
      const c = await connect();
      c.call(1, 'hold', {});
      c.socket.close(code, code && 'bye');
      assert.strictEqual(await c.closed, code === undefined ? 1005 : code);
    }
  },

  /* It breaks off in the middle of calls; the server goes on. */
  async vanish() {
    for (let i = 0; i < 5; i++) {
      const c = await connect();
      for (let id = 1; id <= 20; id++)
        c.call(id, 'hold', {});
      if (i % 2)
        c.socket._socket.resetAndDestroy();
      else
        c.socket.terminate();
      await c.closed;
    }
    const c = await connect();
    c.call(1, 'echo', {x: 1});
    assert.strictEqual((await c.answer())[0], 1);
  },

  /* What breaks RFC 6455 is answered with its close code. */
  async violate() {
    const violations = [
      ['810161', 1002], /* not masked */
      ['8380' + '00000000', 1002], /* no such opcode */
      ['c181' + '00000000' + '61', 1002], /* RSV1 */
      ['8182' + '00000000' + 'c328', 1007], /* no UTF-8 */
      ['81ff' + '0000010000000000' + '00000000', 1009], /* 1 TiB */
      ['8080' + '00000000', 1002], /* continues nothing */
      ['0980' + '00000000', 1002], /* half a ping */
      ['8881' + '00000000' + '03', 1002], /* half a close code */
    ];
    for (const [hex, code] of violations) {
      const c = await connect();
      c.socket._socket.write(Buffer.from(hex, 'hex'));
      assert.strictEqual(await c.closed, code, hex);
    }
  },

  async event() {
    const [a, b] = [await connect(), await connect()];
    a.call(1, 'publish');
    const event = protocol.notify('news',
      protocolName === 'jsonrpc2' ? {x: 1} : {data: {x: 1}});
    assert.deepStrictEqual(await b.next(), event);
    assert.deepStrictEqual(await a.next(), event);
    assert.deepStrictEqual(await a.answer(), [1, false, null]);
  },

  /* The server says goodbye. */
  async goodbye() {
    const c = await connect();
    c.call(1, 'hold', {});
    c.send(protocol.notify('leave'));
    assert.strictEqual(await c.closed, 1001);
    await assert.rejects(connect(), /ECONNREFUSED/);
  },
};

process.stdin.on('end', () => process.exit()).resume();
cases[caseName]().then(() => {
  console.log('passed');
  process.exit(0);
}, error => {
  console.log(error.stack);
  process.exit(1);
});
