'use strict';
/*
 * What npm has for a protocol, against a uvow server:
 *
 *   node npm_clients.js URL CASE
 *
 * Says "passed" when all was as it should be; ends with its stdin.
 */
const assert = require('assert');
const load = require('./load.js');

const [url, which] = process.argv.slice(2);

const cases = {
  /* One result, an error, a subscription that is let go of, many at once. */
  async graphql_ws() {
    const {createClient} = load('graphql-ws');
    const client = createClient({
      url,
      webSocketImpl: load('ws'),
      retryAttempts: 0,
      connectionParams: {token: 'T'},
    });
    const ask = (query, variables) =>
        new Promise((resolve, reject) => {
          let last;
          client.subscribe({query, variables}, {
            next: (value) => last = value,
            error: reject,
            complete: () => resolve(last),
          });
        });
    assert.deepStrictEqual(await ask('{echo}', {a: 'é'}),
                           {query: '{echo}', variables: {a: 'é'}});
    const errors = await ask('{fail}').then(assert.fail, (error) => error);
    assert.deepStrictEqual(errors[0].message, 'no such "field"');
    const let_go = client.subscribe({query: '{hold}'},
                                    {next() {}, error() {}, complete() {}});
    await ask('{echo}');
    let_go();
    while ((await ask('{canceled}')).count < 1)
      ;
    const all = await Promise.all(
        Array.from({length: 200}, (_, i) => ask('{echo}', {i})));
    all.forEach((answer, i) => assert.strictEqual(answer.variables.i, i));
    await client.dispose();
  },

  async rpc_websockets() {
    const {Client} = load('rpc-websockets');
    const client = new Client(url, {reconnect: false});
    const closed = new Promise((resolve) => client.on('close', resolve));
    await new Promise((resolve, reject) => {
      client.on('open', resolve);
      client.on('error', reject);
    });
    assert.deepStrictEqual(await client.call('echo', [1, 'é', null]),
                           [1, 'é', null]);
    assert.deepStrictEqual(await client.call('echo', {a: {b: 1}}),
                           {a: {b: 1}});
    const error = await client.call('fail').then(assert.fail, (e) => e);
    assert.strictEqual(error.code, 404);
    const none = await client.call('none').then(assert.fail, (e) => e);
    assert.strictEqual(none.code, -32601);
    await client.notify('note', [1]);
    const all = await Promise.all(
        Array.from({length: 200}, (_, i) => client.call('echo', [i])));
    all.forEach((answer, i) => assert.deepStrictEqual(answer, [i]));
    client.close();
    await closed;
  },

  /* A topic is joined, asked, and heard; another is refused. */
  async phoenix() {
    const {Socket} = load('phoenix');
    const socket = new Socket(url + 'socket', {transport: load('ws')});
    const reply = (push) => new Promise((resolve, reject) =>
      push.receive('ok', resolve).receive('error', reject));
    socket.connect();
    const lobby = socket.channel('room:lobby', {token: 'T'});
    const cellar = socket.channel('room:cellar', {});
    const heard = new Promise((resolve) => lobby.on('news', resolve));
    cellar.on('news', () => assert.fail('of another room'));
    assert.deepStrictEqual(await reply(lobby.join()), {});
    await reply(cellar.join());
    assert.deepStrictEqual(await reply(lobby.push('echo', {a: 'é'})),
                           {a: 'é'});
    const error = await reply(lobby.push('fail', {})).then(assert.fail,
                                                           (e) => e);
    assert.deepStrictEqual(error, {reason: 'no such "field"'});
    const all = await Promise.all(Array.from(
        {length: 200},
        (_, i) => reply((i % 2 ? lobby : cellar).push('echo', {i}))));
    all.forEach((answer, i) => assert.strictEqual(answer.i, i));
    await reply(lobby.push('shout', {text: 'hear'}));
    assert.deepStrictEqual(await heard, {text: 'hear'});
    /* Bytes: a request, its answer, an error's reason, and what is pushed. */
    for (const length of [0, 1, 2, 3, 300, 70000]) {
      const bytes = Uint8Array.from({length}, (_, i) => i * 7).buffer;
      const back = await reply(lobby.push('echo', bytes));
      assert.ok(back instanceof ArrayBuffer);
      assert.deepStrictEqual(back, bytes);
    }
    const no = await reply(lobby.push('refuse_bytes', new ArrayBuffer(0)))
                   .then(assert.fail, (e) => e);
    assert.deepStrictEqual(no, Uint8Array.of(0, 1, 255).buffer);
    const pushed = new Promise((resolve) => lobby.on('bytes', resolve));
    await reply(lobby.push('shout_bytes', Uint8Array.of(9, 0, 255).buffer));
    assert.deepStrictEqual(await pushed, Uint8Array.of(9, 0, 255).buffer);
    await new Promise((resolve) => socket.ping(resolve));
    await reply(lobby.leave());
    await new Promise((resolve) => socket.disconnect(resolve));
  },

  /* Who doesn't know the password is refused. */
  async obs() {
    const {default: OBSWebSocket} = load('obs-websocket-js');
    const obs = new OBSWebSocket();
    const no = await new OBSWebSocket().connect(url, 'wrong').then(
        assert.fail, (e) => e);
    assert.ok(no.code !== undefined);
    const hello = await obs.connect(url, 'secret');
    assert.strictEqual(hello.negotiatedRpcVersion, 1);
    const heard = new Promise((resolve) => obs.on('SceneTransitionStarted',
                                                  resolve));
    assert.deepStrictEqual(await obs.call('echo', {sceneName: 'é'}),
                           {sceneName: 'é'});
    const error = await obs.call('fail').then(assert.fail, (e) => e);
    assert.strictEqual(error.code, 404);
    assert.strictEqual(error.message, 'no such "field"');
    const all = await Promise.all(Array.from(
        {length: 200}, (_, i) => obs.call('echo', {i})));
    all.forEach((answer, i) => assert.strictEqual(answer.i, i));
    await obs.call('shout', {transitionName: 'Fade'});
    assert.deepStrictEqual(await heard, {transitionName: 'Fade'});
    await obs.disconnect();
  },

  /* Commands, a subscription, and its end. */
  async home_assistant() {
    globalThis.WebSocket = load('ws');
    const {createConnection, createLongLivedTokenAuth, ERR_INVALID_AUTH} =
        load('home-assistant-js-websocket/dist/haws.cjs');
    const at = url.replace('ws:', 'http:').slice(0, -1);
    const connect = (token) => createConnection({
      auth: createLongLivedTokenAuth(at, token),
      setupRetry: 0,
    });
    assert.strictEqual(await connect('X').then(assert.fail, (e) => e),
                       ERR_INVALID_AUTH);
    const connection = await connect('T');
    const ask = (type, more) =>
      connection.sendMessagePromise({type, ...more});
    assert.strictEqual((await ask('echo', {a: 'é'})).a, 'é');
    const error = await ask('fail').then(assert.fail, (e) => e);
    assert.strictEqual(error.message, 'no such "field"');
    const events = [];
    const unsubscribe = await connection.subscribeEvents(
        (event) => events.push(event), 'state_changed');
    await ask('shout', {text: 'one'});
    await ask('shout', {text: 'two'});
    await connection.ping();
    assert.deepStrictEqual(events, [{text: 'one'}, {text: 'two'}]);
    await unsubscribe();
    const all = await Promise.all(
        Array.from({length: 200}, (_, i) => ask('echo', {i})));
    all.forEach((answer, i) => assert.strictEqual(answer.i, i));
    connection.close();
  },

  /* A caller, and a subscriber. */
  async autobahn() {
    const {Connection} = load('autobahn');
    const parts = [];
    const defer = () => {
      const deferred = {notify: (part) => parts.push(part)};
      deferred.promise = new Promise((resolve, reject) => {
        deferred.resolve = resolve;
        deferred.reject = reject;
      });
      return deferred;
    };
    const connection = new Connection({
      url,
      realm: 'realm1',
      max_retries: 0,
      protocols: ['wamp.2.json'],
      use_deferred: defer,
    });
    const session = await new Promise((resolve) => {
      connection.onopen = resolve;
      connection.open();
    });
    const args = await session.call('echo', [1, 'é']);
    assert.deepStrictEqual(args.args, [1, 'é']);
    const error = await session.call('fail', [1]).then(assert.fail, (e) => e);
    assert.strictEqual(error.error, 'uvow.error');
    assert.deepStrictEqual(error.args, ['no such "field"']);
    const last =
        await session.call('count', [3], {}, {receive_progress: true});
    assert.deepStrictEqual(parts, [1, 2, 3]);
    assert.strictEqual(last, 'done');
    const heard = [];
    const subscription = await session.subscribe('shout', (items) => {
      heard.push(items[0]);
    });
    session.publish('shout', ['one']);
    session.publish('shout', ['two']);
    const all = await Promise.all(Array.from(
        {length: 200}, (_, i) => session.call('echo', [i])));
    all.forEach((answer, i) => assert.strictEqual(answer, i));
    assert.deepStrictEqual(heard, ['one', 'two']);
    await session.unsubscribe(subscription);
    await new Promise((resolve) => {
      connection.onclose = resolve;
      connection.close();
    });
  },
};

process.stdin.on('end', () => process.exit(1)).resume();
cases[which]().then(() => {
  console.log('passed');
  process.exit(0);
}, (error) => {
  console.log('failed', error);
  process.exit(1);
});
