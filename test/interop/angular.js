'use strict';
/*
 * The service that callback_id comes from: AngularJS, a WebSocket, and a promise
 * for each request, found again by its id. The page asks for many customers at
 * once, and counts who was given whom.
 */
angular.module('shop', [])

    .factory('server', ['$q', '$rootScope', ($q, $rootScope) => {
      const waiting = {};
      let last = 0;
      const socket = new WebSocket(location.hash.slice(1));
      const open = $q((resolve, reject) => {
        socket.onopen = resolve;
        socket.onerror = reject;
      });

      socket.onmessage = (message) => {
        const answer = JSON.parse(message.data);
        const deferred = waiting[answer.callback_id];
        delete waiting[answer.callback_id];
        $rootScope.$apply(() => {
          if (answer.result)
            deferred.resolve(answer.data);
          else
            deferred.reject(answer);
        });
      };

      return (type, request) => open.then(() => {
        const deferred = $q.defer();
        const id = ++last;
        waiting[id] = deferred;
        socket.send(JSON.stringify({...request, type, callback_id: id}));
        return deferred.promise;
      });
    }])

    .run(['server', '$q', '$rootScope', (server, $q, $rootScope) => {
      let right = 0;
      let inOrder = 0;
      let last = -1;
      const asked = Array.from({length: 10000}, (_, number) =>
        server('get_customer', {number}).then((customer) => {
          right += customer.number === number &&
              customer.name === 'customer ' + number;
          inOrder += number === last + 1;
          last = number;
        }));
      asked.push(server('no_such_method', {}).then(
          () => right = -1, (answer) => $rootScope.refused = answer.data));
      window.outcome = new Promise((resolve) => {
        $q.all(asked).then(
            () => resolve({right, inOrder, refused: $rootScope.refused}),
            (error) => resolve({error: String(error)}));
      });
    }]);
