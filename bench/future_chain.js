'use strict';
// The work of future_chain.c and future_memory.c with the engine's own
// promises. They start it and read what it prints:
//
//   node future_chain.js <links>          "<chain length> <ns per link>" ...,
//                                         and "0 <ns>" for one chain per turn
//   node --expose-gc future_chain.js memory <links>    "<bytes per link>"
const now = () => Number(process.hrtime.bigint());
const turn = () => new Promise((resolve) => setImmediate(resolve));
const plusOne = (x) => x + 1;
let sum = 0;
let expected = 0;
const end = (x) => { sum += x; return x + 1; };

// A promise, and `length` continuations; settled at once if it is asked for.
function chain(length) {
  let settle;
  let promise = new Promise((resolve) => { settle = resolve; });
  for (let i = 1; i < length; i++)
    promise = promise.then(plusOne);
  promise.then(end);
  expected += length;
  return settle;
}

// Nanoseconds per chain.
async function measure(chains, length, perTurn) {
  const start = now();
  for (let made = 0; made < chains; made += perTurn) {
    for (let i = 0; i < perTurn; i++)
      chain(length)(1);
    await turn();
  }
  return (now() - start) / chains;
}

async function times(links) {
  const lengths = [];
  for (let length = 1; length <= links; length *= 10)
    lengths.push(length);
  for (let i = 0; i < 3; i++) // until the compiler has seen it all
    await measure(100000, 1, 1000);
  await measure(1000, 100, 10);
  for (const length of lengths) {
    const perTurn = Math.max(1, 1000 / length);
    const ns = await measure(links / length, length, perTurn);
    console.log(`${length} ${ns / length}`);
  }
  await measure(10000, 1, 1);
  console.log(`0 ${await measure(50000, 1, 1)}`);
  if (sum !== expected)
    throw new Error('callbacks are missing');
}

async function memory(links) {
  global.gc();
  const before = process.memoryUsage().heapUsed;
  const settle = chain(links);
  global.gc();
  console.log((process.memoryUsage().heapUsed - before) / links);
  settle(1);
  await turn();
}

if (process.argv[2] === 'memory')
  memory(Number(process.argv[3]));
else
  times(Number(process.argv[2]));
