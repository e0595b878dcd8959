// UKAgent: how a page speaks to the key agent on the visitor's PC.
//
//   var found = await UKAgent.find();          // on a click: the browser may ask for permission
//   found.state: "ready" | "missing" | "denied" | "refused" | "old"
//   var agent = await UKAgent.connect(found, {ticket: "…", onEvent: function (e) {…}, onClose: function () {…}});
//   var device = await agent.call("select", {});
//   await agent.call("login", {});             // onEvent gets {event: "pin_prompt", url: "…"}
//
// A failed call rejects with an Error that has code, retryLeft, native, devices.
(function (root) {
  "use strict";

  var PORTS = [17631, 27631, 37631];
  var PROTO = 1;

  function sleep(ms) {
    return new Promise(function (resolve) { setTimeout(resolve, ms); });
  }

  // ask fetches from loopback; targetAddressSpace makes Chrome ask for its
  // permission on a secure page and lift the mixed-content block.
  async function ask(url, mode, ms) {
    var control = new AbortController();
    var timer = setTimeout(function () { control.abort(); }, ms);
    var options = {mode: mode, credentials: "omit", cache: "no-store", signal: control.signal};
    try {
      try {
        return await fetch(url, Object.assign({targetAddressSpace: "loopback"}, options));
      } catch (err) {
        // Browsers that know another spelling of the option, or refuse it.
        if (err && err.name === "AbortError") { throw err; }
        return await fetch(url, options);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  // permission tells "granted", "denied", "prompt" or "unknown".
  async function permission() {
    var names = ["loopback-network", "local-network-access"];
    for (var i = 0; i < names.length; i++) {
      try {
        return (await navigator.permissions.query({name: names[i]})).state;
      } catch (err) { /* not known to this browser */ }
    }
    return "unknown";
  }

  // find looks for the agent on its ports in turn.
  async function find() {
    var refused = false;
    for (var i = 0; i < PORTS.length; i++) {
      var base = "127.0.0.1:" + PORTS[i];
      try {
        // Generous: the first request waits for the visitor's answer to the prompt.
        var res = await ask("http://" + base + "/v1/hello", "cors", 60000);
        if (!res.ok) { refused = true; continue; }
        var hello = await res.json();
        if (hello.agent !== "ukagent") { continue; }
        if (!(hello.proto >= PROTO)) { return {state: "old", base: base, version: hello.version}; }
        return {state: "ready", base: base, version: hello.version, drivers: hello.drivers};
      } catch (err) {
        // Nobody there, permission refused, or an agent that does not know this
        // site (its answer may not be read, but it does come).
        try {
          await ask("http://" + base + "/v1/hello", "no-cors", 3000);
          refused = true;
        } catch (again) { /* nobody there */ }
      }
    }
    if (await permission() === "denied") { return {state: "denied"}; }
    return {state: refused ? "refused" : "missing"};
  }

  function failure(error) {
    var err = new Error((error && error.message) || "");
    err.code = (error && error.code) || "DEVICE_ERROR";
    err.retryLeft = error && typeof error.retry_left === "number" ? error.retry_left : null;
    err.native = (error && error.native) || "";
    err.devices = (error && error.devices) || [];
    return err;
  }

  // connect opens the WebSocket; the device session lives as long as it does.
  function connect(found, options) {
    options = options || {};
    var ticket = options.ticket || "";
    var waiting = new Map();
    var serial = 0;
    var open = false;

    return new Promise(function (resolve, reject) {
      var ws = new WebSocket("ws://" + found.base + "/v1/ws", "ukagent.v1");

      function call(op, args, callOptions) {
        if (ws.readyState !== WebSocket.OPEN) {
          return Promise.reject(failure({code: "AGENT_GONE"}));
        }
        var id = String(++serial);
        var message = {id: id, op: op, args: args || {}};
        if (callOptions && callOptions.ticket) { ticket = callOptions.ticket; }
        if (ticket && op !== "ping" && op !== "cancel") { message.ticket = ticket; }
        return new Promise(function (ok, bad) {
          waiting.set(id, {ok: ok, bad: bad});
          ws.send(JSON.stringify(message));
        });
      }

      ws.addEventListener("open", function () {
        open = true;
        resolve({
          call: call,
          // setTicket replaces the ticket for later calls; the old one stays spent.
          setTicket: function (fresh) { ticket = fresh; },
          close: function () { ws.close(1000); }
        });
      });
      ws.addEventListener("message", function (event) {
        var data;
        try { data = JSON.parse(event.data); } catch (err) { return; }
        if (data.event) {
          if (options.onEvent) { options.onEvent(data); }
          return;
        }
        var entry = waiting.get(data.id);
        if (!entry) { return; }
        waiting.delete(data.id);
        if (data.ok) { entry.ok(data.result); } else { entry.bad(failure(data.error)); }
      });
      ws.addEventListener("close", function () {
        waiting.forEach(function (entry) { entry.bad(failure({code: "AGENT_GONE"})); });
        waiting.clear();
        if (!open) { reject(failure({code: "AGENT_GONE"})); return; }
        if (options.onClose) { options.onClose(); }
      });
    });
  }

  // keepAlive pings until stop() is called: the agent ends idle sessions after
  // five minutes.
  function keepAlive(agent) {
    var going = true;
    (async function () {
      while (going) {
        await sleep(120000);
        if (going) { try { await agent.call("ping"); } catch (err) { return; } }
      }
    })();
    return function stop() { going = false; };
  }

  root.UKAgent = {PORTS: PORTS, find: find, connect: connect, keepAlive: keepAlive};
})(window);
