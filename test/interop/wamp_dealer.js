'use strict';
/*
 * A WAMP router for tests: what fox-wamp leaves out. Calls with args and kwargs,
 * partial results, errors as they are, and the three ways to cancel. It has no
 * topics, no patterns and no passwords. Says "cancel MODE" of what is canceled.
 */
const ERROR = 8, REGISTERED = 65, RESULT = 50, INVOCATION = 68, INTERRUPT = 69;
const CALL = 48, REGISTER = 64;

class Dealer {
  constructor() {
    this.ids = 0;
    this.procedures = new Map(); /* by URI */
    this.invocations = new Map();
  }

  /* A session that takes what send writes, an array. */
  accept(send) {
    return {send, cancels: false};
  }

  hear(session, message) {
    const [code, ...rest] = message;
    const handler = this['on_' + code];
    if (!handler)
      throw new Error('no such message: ' + code);
    handler.call(this, session, ...rest);
  }

  on_1(session, realm, {roles}) {
    session.cancels = Boolean(roles.callee?.features?.call_canceling);
    session.send([2, ++this.ids, {roles: {broker: {}, dealer: {features: {
      progressive_call_results: true,
      call_canceling: true,
    }}}}]);
  }

  on_6(session) {
    session.send([6, {}, 'wamp.close.goodbye_and_out']);
  }

  on_64(session, request, options, uri) {
    if (this.procedures.has(uri)) {
      session.send([ERROR, REGISTER, request, {},
                    'wamp.error.procedure_already_exists']);
      return;
    }
    const id = ++this.ids;
    this.procedures.set(uri, {id, session});
    session.send([REGISTERED, request, id]);
  }

  on_48(caller, request, options, uri, ...values) {
    const procedure = this.procedures.get(uri);
    if (!procedure) {
      caller.send([ERROR, CALL, request, {}, 'wamp.error.no_such_procedure']);
      return;
    }
    const id = ++this.ids;
    const callee = procedure.session;
    this.invocations.set(id, {caller, request, callee});
    callee.send([INVOCATION, id, procedure.id,
                 options.receive_progress ? {receive_progress: true} : {},
                 ...values]);
  }

  /* A skipped one may still answer: nobody waits. */
  on_70(session, id, {progress}, ...values) {
    const invocation = this.invocations.get(id);
    if (!progress)
      this.invocations.delete(id);
    invocation?.caller.send([RESULT, invocation.request,
                             progress ? {progress} : {}, ...values]);
  }

  on_8(session, of, id, details, ...rest) {
    const invocation = this.invocations.get(id);
    this.invocations.delete(id);
    invocation?.caller.send([ERROR, CALL, invocation.request, details,
                             ...rest]);
  }

  on_49(caller, request, {mode = 'kill'}) {
    console.log('cancel ' + mode);
    for (const [id, invocation] of this.invocations) {
      if (invocation.caller !== caller || invocation.request !== request)
        continue;
      const {callee} = invocation;
      if (mode !== 'skip' && callee.cancels)
        callee.send([INTERRUPT, id, {mode}]);
      if (mode === 'kill' && callee.cancels)
        return; /* the callee's error is the caller's */
      this.invocations.delete(id);
      caller.send([ERROR, CALL, request, {}, 'wamp.error.canceled']);
    }
  }
}

module.exports = (WebSocketServer, listening) => {
  const dealer = new Dealer();
  const server = new WebSocketServer({port: 0, host: '127.0.0.1'},
                                     () => listening(server.address().port));
  server.on('connection', (ws) => {
    const session = dealer.accept((message) => ws.send(JSON.stringify(message)));
    ws.on('message', (text) => dealer.hear(session, JSON.parse(text)));
  });
};
