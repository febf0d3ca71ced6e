'use strict';
// uvow's futures as JavaScript's promises: Future has `then`, so it's awaited.
// The C side knows values and futures; what C doesn't have is lifted here:
// objects of others that have a `then`.
const native = require(process.env.UVOW_ADDON || './uvow.node');

const VALUE = 0, REASON = 1, FOLLOW = 2;

class Future {
  constructor(handle) { this.handle = handle; }

  then(onValue, onReason) {
    return new Future(native.then(this.handle, (box, message) => {
      const isValue = message === undefined;
      const fn = isValue ? onValue : onReason;
      const input = box ? box[0] : isValue ? undefined : new TypeError(message);
      if (typeof fn !== 'function')
        return isValue ? [VALUE, [input]] : [REASON, [input]];
      try {
        return answer(fn(input));
      } catch (thrown) {
        return [REASON, [thrown]];
      }
    }));
  }
  catch(onReason) { return this.then(undefined, onReason); }
}

// What x comes to: [kind, what].
function answer(x) {
  if (x instanceof Future)
    return [FOLLOW, x.handle];
  if (x === null || (typeof x !== 'object' && typeof x !== 'function'))
    return [VALUE, [x]];
  try {
    const then = x.then;  // read once
    if (typeof then !== 'function')
      return [VALUE, [x]];
    const lifted = deferred();
    try {
      then.call(x, lifted.resolve, lifted.reject);
    } catch (thrown) {
      lifted.reject(thrown);
    }
    return [FOLLOW, lifted.promise.handle];
  } catch (thrown) {
    return [REASON, [thrown]];
  }
}

function deferred() {
  const [future, promise] = native.create();
  let settled = false;
  const settle = (make) => {
    if (settled)
      return;
    settled = true;
    const [kind, what] = make();
    native.settle(promise, kind, what);
  };
  return {
    promise: new Future(future),
    resolve: (x) => settle(() => answer(x)),
    reject: (reason) => settle(() => [REASON, [reason]]),
  };
}

const delay = (ms) => new Future(native.delay(ms));

module.exports = {Future, deferred, delay};
