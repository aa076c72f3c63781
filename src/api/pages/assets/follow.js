// Follows what happens for all windows of a browser together. A browser keeps few connections to one server, six mostly, and a stream
// takes one: with one for each window, the seventh would never load.
(function () {
  "use strict";
  var windows = [], source = null;

  function tell(what) { windows.forEach(function (one) { one.postMessage(what); }); }

  function begin(kinds) {
    source = new EventSource("/v1/events");
    source.onopen = function () { tell({ is: "open" }); };
    source.onerror = function () {
      var isOver = source.readyState === EventSource.CLOSED;
      if (isOver) { source = null; }
      tell({ is: isOver ? "over" : "away" });
    };
    kinds.forEach(function (kind) {
      source.addEventListener(kind, function (event) { tell({ is: "event", data: event.data }); });
    });
  }

  function leave(one) {
    windows = windows.filter(function (other) { return other !== one; });
    if (source && windows.length === 0) { source.close(); source = null; }
  }

  self.onconnect = function (event) {
    var one = event.ports[0];
    one.onmessage = function (message) {
      if (!message.data.follow) { leave(one); return; }
      // There are browsers that have no streams here.
      if (!self.EventSource) { one.postMessage({ is: "none" }); return; }
      windows.push(one);
      if (!source) { begin(message.data.follow); }
      else if (source.readyState === EventSource.OPEN) { one.postMessage({ is: "open" }); }
    };
  };
})();
