'use strict';
// Node's ws, or Bun's own WebSocket: a promise for each request, in a Map by id.
//
//   node|bun node_ws.js <port> <in flight> <seconds> [corked]
//
// "corked" holds the socket back until the tick ends, so that one write carries
// many requests: few know the trick, and it makes the most difference.
const isBun = typeof Bun !== 'undefined';
const Socket = isBun ? globalThis.WebSocket : require('ws');

const [port, inFlight, seconds] = process.argv.slice(2, 5).map(Number);
const corked = process.argv[5] === 'corked';
const ws = new Socket(`ws://127.0.0.1:${port}/`, {perMessageDeflate: false});
const name = isBun ? 'bun' : corked ? 'node-ws-corked' : 'node-ws';
const pending = new Map();
const latencies = [];
let next = 1;
let held = false;

function cork() {
  held = true;
  ws._socket.cork();
  setImmediate(() => {
    held = false;
    ws._socket.uncork();
  });
}

function request(method, params) {
  const id = next++;
  if (corked && !held)
    cork();
  ws.send(JSON.stringify({jsonrpc: '2.0', id, method, params}));
  return new Promise((resolve, reject) => pending.set(id, {resolve, reject}));
}

function take(data) {
  const answer = JSON.parse(data);
  const {resolve, reject} = pending.get(answer.id);
  pending.delete(answer.id);
  if (answer.error)
    reject(new Error(answer.error.message));
  else
    resolve(answer.result);
}

let start;
let cpu;
let counting = false;

function report(now) {
  const length = now - start;
  const used = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  const us = (share) =>
    (1000 * latencies[Math.floor(share * (latencies.length - 1))]).toFixed(1);
  console.log(
    `client=${name} inflight=${inFlight} ` +
    `requests=${latencies.length} seconds=${(length / 1000).toFixed(3)} ` +
    `rps=${Math.round(1000 * latencies.length / length)} ` +
    `p50_us=${us(0.5)} p99_us=${us(0.99)} ` +
    `cpu_s=${((used.user + used.system) / 1e6).toFixed(3)} ` +
    `maxrss_kb=${process.resourceUsage().maxRSS}`);
  process.exit(0);
}

function answered(sent, now) {
  if (counting) {
    latencies.push(now - sent);
    if (now - start >= 1000 * seconds)
      report(now);
  } else if (now - start >= 500) {
    counting = true;
    start = now;
    cpu = process.cpuUsage();
  }
}

async function keepOneInFlight() {
  for (;;) {
    const sent = performance.now();
    const x = next;
    const result = await request('echo', {x});
    if (result.x !== x)
      throw new Error(`${result.x} is not ${x}`);
    answered(sent, performance.now());
  }
}

function begin() {
  start = performance.now();
  for (let i = 0; i < inFlight; i++)
    keepOneInFlight();
}

if (isBun) {
  ws.onopen = begin;
  ws.onmessage = (event) => take(event.data);
} else {
  ws.on('open', begin);
  ws.on('message', take);
}
