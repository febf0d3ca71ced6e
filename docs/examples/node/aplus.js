'use strict';
// The standard's own tests: npm's promises-aplus-tests. Exits with 77 if they
// aren't there.
const {deferred} = require('./uvow.js');

let tests;
try {
  tests = require(process.argv[2] || 'promises-aplus-tests');
} catch (missing) {
  console.log('promises-aplus-tests is not installed');
  process.exit(77);
}
tests({deferred}, {reporter: 'dot'}, (error) => {
  process.exitCode = error ? 1 : 0;
});
