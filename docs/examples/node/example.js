'use strict';
// A future of uvow's, awaited by JavaScript; a chain of both.
const {deferred, delay} = require('./uvow.js');

async function main() {
  await delay(10);
  console.log('10 ms later');
  const d = deferred();
  const chain = d.promise.then((n) => delay(1).then(() => n * 2));
  d.resolve(21);
  console.log(await chain);
  await deferred().promise.then.call(delay(1), () => { throw Error('thrown'); })
      .catch((e) => console.log('caught', e.message));
}

main();
