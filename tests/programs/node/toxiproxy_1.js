// Drives Toxiproxy's API with every call of toxiproxy-node: arguments are the API's URL and the upstream.
//
// The client is of 2015, for Toxiproxy 1: what Toxiproxy 2 has no longer is answered as it answers.
"use strict";
const assert = require("node:assert");
const { promisify } = require("node:util");
const Toxiproxy = require("toxiproxy-node");
const { Client, ping, run } = require("./redis.js");

// A call that gives its result to a function; what is wrong is a status.
const call = (object, name, ...given) => promisify(object[name]).apply(object, given);
const status = (expected) => (error) => error === expected;

run(async (url, upstream) => {
  const toxiproxy = new Toxiproxy(new URL(url).host);
  const proxy = toxiproxy.NewProxy({ name: "redis", listen: "127.0.0.1:0", upstream });
  const { listen, enabled } = await call(proxy, "Create");
  assert.equal(enabled, true);
  await assert.rejects(call(proxy, "Create"), status(409));
  const client = new Client(listen);
  assert.equal((await client.ping()).reply, "+PONG\r\n");
  assert.equal((await call(toxiproxy, "Proxy", "redis")).upstream, upstream);
  assert.deepEqual(Object.keys(await call(toxiproxy, "Proxies")), ["redis"]);

  Object.assign(proxy, { listen, enabled: false });
  assert.equal((await call(proxy, "Save")).enabled, false);
  await client.ended;
  assert.equal((await ping(listen)).reply, "");
  proxy.enabled = true;
  assert.equal((await call(proxy, "Save")).enabled, true);
  assert.equal((await ping(listen)).reply, "+PONG\r\n");

  const latency = { enabled: true, latency: 1000 };
  await assert.rejects(call(proxy, "SetToxic", "latency", "downstream", latency), /404 page not found/);
  await assert.rejects(call(proxy, "Toxics", "downstream"), /404 page not found/);
  await assert.rejects(call(toxiproxy, "ResetState"), status(405)); // it is a GET
  await call(proxy, "Delete");
  await assert.rejects(call(toxiproxy, "Proxy", "redis"), status(404));
  await assert.rejects(call(proxy, "Save"), status(404));
});
