'use strict';
/*
 * A session of autobahn's at a router: its procedures, for others to call, and
 * one that calls what others have, and says what came of it.
 */
const load = require('./load.js');

/* A deferred that keeps partial results. */
const defer = () => {
  const deferred = {parts: []};
  deferred.notify = (part) => deferred.parts.push(part);
  deferred.promise = new Promise((resolve, reject) => {
    Object.assign(deferred, {resolve, reject});
  });
  deferred.promise.parts = deferred.parts;
  return deferred;
};

const procedures = (session, {Result, Error: WampError}) => ({
  'com.add': ([a, b]) => a + b,
  'com.fail': () => {
    throw 'no such customer';
  },
  'com.shout': ([text]) => {
    session.publish('com.news', [text]);
    return text.length;
  },
  'com.both': (args, kwargs) => new Result(args, kwargs),
  'com.parts': ([count], kwargs, {progress}) => {
    for (let i = 1; i <= count; i++)
      progress([i], {of: count});
    return 'done';
  },
  'com.deny': (args, kwargs) => {
    throw new WampError('com.error.denied', args, kwargs);
  },
  'com.hold': () => new Promise(() => {}),

  /* Calls another; mode: cancels it so once it has had a partial result. */
  'com.relay': async ([uri, mode], {args, kwargs}) => {
    const call = session.call(uri, args, kwargs, {receive_progress: true});
    const {parts} = call;
    if (mode) {
      while (parts.length === 0)
        await new Promise(setImmediate);
      call.cancel({mode});
    }
    try {
      const result = await call;
      return {parts, result};
    } catch (error) {
      return {parts, error: error.error, args: error.args,
              kwargs: error.kwargs};
    }
  },
});

module.exports = async (port) => {
  const autobahn = load('autobahn');
  const connection = new autobahn.Connection({
    url: 'ws://127.0.0.1:' + port,
    realm: 'realm1',
    protocols: ['wamp.2.json'],
    use_deferred: defer,
  });
  const session = await new Promise((resolve) => {
    connection.onopen = resolve;
    connection.open();
  });
  for (const [uri, endpoint] of Object.entries(procedures(session, autobahn)))
    await session.register(uri, endpoint);
  console.log('listening ' + port);
};
