'use strict';
/*
 * What npm has to serve a protocol, for a uvow client:
 *
 *   node npm_servers.js graphql_ws
 *
 * Says "listening PORT"; ends with its stdin. Packages as load.js says.
 */
const load = require('./load.js');
const wampPeer = require('./wamp_peer.js');

const cases = {
  /* Takes only who shows the token. */
  graphql_ws() {
    const {WebSocketServer} = load('ws');
    const {useServer} = load('graphql-ws/dist/use/ws.cjs');
    const schema =
        load('graphql').buildSchema('type Query { hello: String }');
    const server = new WebSocketServer({port: 0, host: '127.0.0.1'}, () => {
      console.log('listening ' + server.address().port);
    });
    useServer({
      schema,
      roots: {query: {hello: () => 'world'}},
      onConnect: ({connectionParams}) => connectionParams?.token === 'T',
      onComplete: () => console.log('completed'),
    }, server);
  },

  /* A method, and events that a method sends. */
  rpc_websockets() {
    const {Server} = load('rpc-websockets');
    const server = new Server({port: 0, host: '127.0.0.1'});
    server.on('listening', () => {
      console.log('listening ' + server.wss.address().port);
    });
    server.event('tick');
    server.register('sum', (numbers) => numbers.reduce((a, b) => a + b, 0));
    server.register('tick', ([count]) => {
      for (let i = 1; i <= count; i++)
        server.emit('tick', i, 'of ' + count);
      return server.eventList();
    });
  },

  /* A router of WAMP, with a callee, caller and publisher of another package. */
  fox_wamp() {
    const Router = load('fox-wamp');
    const server = new Router().listenWAMP({port: 0, host: '127.0.0.1'});
    server.on('listening', () => wampPeer(server.address().port));
  },

  /* The same at the test's own. */
  wamp_dealer() {
    require('./wamp_dealer.js')(load('ws').WebSocketServer, wampPeer);
  },

  /* A chain whose blocks are mined on demand. */
  ganache() {
    const server = load('ganache').server({
      logging: {quiet: true},
      wallet: {totalAccounts: 1, seed: 'uvow'},
      miner: {blockTime: 0},
    });
    server.listen(0, '127.0.0.1').then(() => {
      console.log('listening ' + server.address().port);
    });
  },
};

process.stdin.on('end', () => process.exit(0)).resume();
cases[process.argv[2]]();
