'use strict';
/*
 * A package of npm's: of $TEST_NPM, folders node_modules with the paths'
 * separator between them, or one of Debian's. Without it says so, and exits:
 * the test is skipped.
 */
const path = require('path');

module.exports = (name) => {
  const folders = (process.env.TEST_NPM || '').split(path.delimiter);
  for (const at of [...folders.filter(Boolean), '/usr/share/nodejs']) {
    try {
      return require(path.join(at, name));
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND')
        throw error;
    }
  }
  console.log('missing npm package ' + name);
  process.exit(1);
};
