'use strict';
/*
 * A server of the callback_id protocol on node-ws, which answers as badly as
 * each request asks it to. Prints "port N", and "closed CODE" for each client
 * that goes; ends with its stdin.
 */
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

const answer = (id, data) =>
  JSON.stringify({result: true, callback_id: id, data});

/* What each request does, by its type. */
const acts = {
  /* At once. */
  echo(client, {callback_id: id, value}) {
    client.send(answer(id, value));
  },
  /* When another says release: the last one first. */
  hold(client, {callback_id: id, value}) {
    client.held.push(answer(id, value));
  },
  release(client, {callback_id: id, value}) {
    while (client.held.length)
      client.send(client.held.pop());
    client.send(answer(id, value));
  },
  twice(client, {callback_id: id, value}) {
    client.send(answer(id, value));
    client.send(answer(id, 'again'));
  },
  refuse(client, {callback_id: id, value}) {
    client.send(JSON.stringify({result: false, callback_id: id, data: value}));
  },
  /* Neither true nor false. */
  waver(client, {callback_id: id, value}) {
    client.send(JSON.stringify({result: value, callback_id: id, data: 1}));
  },
  /* The given messages as they are, then the answer. */
  say(client, {callback_id: id, messages}) {
    for (const message of messages)
      client.send(message);
    client.send(answer(id, 'said'));
  },
  /* Right answers as binary messages, then another as text. */
  binary(client, {callback_id: id}) {
    client.send(Buffer.from(answer(id, 'binary')));
    client.send(Buffer.alloc(0));
    client.send(answer(id, 'text'), {binary: false});
  },
  /* A message in frames of so many bytes, with pings between them. */
  fragments(client, {callback_id: id, value, size}) {
    const bytes = Buffer.from(answer(id, value));
    for (let at = 0; at < bytes.length; at += size) {
      const fin = at + size >= bytes.length;
      client.send(bytes.subarray(at, at + size), {binary: false, fin});
      if (!fin)
        client.ping('within');
    }
  },
  /* Answers when the pong is there. */
  ping(client, {callback_id: id, value}) {
    client.once('pong', bytes => client.send(answer(id, bytes.toString())));
    client.ping(value);
  },
  big(client, {callback_id: id, size}) {
    client.send(answer(id, 'x'.repeat(size)));
  },
  measure(client, {callback_id: id, value}) {
    client.send(answer(id, value.length));
  },
  events(client, {callback_id: id, count}) {
    for (let i = 0; i < count; i++)
      client.send(JSON.stringify({type: 'news', data: i}));
    client.send(answer(id, count));
  },
  close(client, {code, reason}) {
    client.close(code, reason);
  },
  /* The connection ends without a close frame. */
  vanish(client) {
    client._socket.end();
  },
  reset(client) {
    client._socket.resetAndDestroy();
  },
  /* Bytes that no WebSocket library would send. */
  raw(client, {hex}) {
    client._socket.write(Buffer.from(hex, 'hex'));
  },
  handshake(client, {callback_id: id}) {
    const {protocol, extensions} = client;
    client.send(answer(id, {protocol, extensions, ...client.request}));
  },
};

const server = new WebSocket.Server({
  host: '127.0.0.1',
  port: 0,
  perMessageDeflate: true,
  handleProtocols: offered => [...offered].find(name => name === 'second') ||
    false,
});
server.on('listening', () => console.log('port ' + server.address().port));
server.on('connection', (client, request) => {
  client.held = [];
  client.request = {url: request.url, headers: request.headers};
  client.on('error', () => {});
  client.on('close', code => console.log('closed ' + code));
  client.on('message', (bytes, isBinary) => {
    const message = JSON.parse(bytes);
    acts[isBinary ? 'none' : message.type](client, message);
  });
});
process.stdin.on('end', () => process.exit()).resume();
