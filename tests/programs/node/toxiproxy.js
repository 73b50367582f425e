// Drives Toxiproxy's API as the README of toxiproxy-node-client does: arguments are the API's URL and the upstream.
"use strict";
const assert = require("node:assert");
const { Toxiproxy } = require("toxiproxy-node-client");
const { Client, ping, run } = require("./redis.js");

run(async (url, upstream) => {
  const toxiproxy = new Toxiproxy(url);
  assert.match(await toxiproxy.getVersion(), /"version": "2\./);
  const proxy = await toxiproxy.createProxy({ listen: "localhost:0", name: "redis", upstream });
  assert.equal(proxy.enabled, true);
  const client = new Client(proxy.listen);
  assert.equal((await client.ping()).reply, "+PONG\r\n");

  const latency = await proxy.addToxic({ attributes: { latency: 400, jitter: 0 }, type: "latency" });
  assert.equal(latency.name, "latency_downstream");
  assert.ok((await client.ping()).took >= 400);
  const changed = await latency.update({ ...latency.toJson(), attributes: { latency: 900, jitter: 0 } });
  assert.equal(changed.attributes.latency, 900);
  assert.ok((await client.ping()).took >= 900);
  assert.equal((await proxy.getToxic("latency_downstream")).attributes.latency, 900);
  await latency.remove();
  await assert.rejects(proxy.getToxic("latency_downstream"), /404/);

  await proxy.addToxic({ attributes: { rate: 1000 }, type: "bandwidth" });
  assert.equal((await client.ping()).reply, "+PONG\r\n");
  await toxiproxy.reset();
  await proxy.addToxic({ attributes: { bytes: 3 }, type: "limit_data", name: "limit", stream: "downstream", toxicity: 1 });
  assert.equal((await ping(proxy.listen)).reply, "+PO");
  await toxiproxy.reset();
  await proxy.addToxic({ attributes: { timeout: 0 }, type: "reset_peer", stream: "upstream" });
  assert.equal((await ping(proxy.listen)).reply, "");
  await toxiproxy.reset();

  const another = new Client(proxy.listen);
  assert.equal((await another.ping()).reply, "+PONG\r\n");
  const disabled = await proxy.update({ ...proxy.toJson(), enabled: false });
  assert.equal(disabled.enabled, false);
  await another.ended;
  assert.equal((await ping(proxy.listen)).reply, "");
  const enabled = await proxy.update({ ...proxy.toJson(), enabled: true });
  assert.equal((await ping(enabled.listen)).reply, "+PONG\r\n");

  const populated = await toxiproxy.populate([{ name: "second", listen: "localhost:0", upstream }]);
  assert.equal((await ping(populated.second.listen)).reply, "+PONG\r\n");
  assert.deepEqual(Object.keys(await toxiproxy.getAll()).sort(), ["redis", "second"]);
  assert.equal((await toxiproxy.get("second")).upstream, upstream);
  await assert.rejects(toxiproxy.createProxy({ listen: "localhost:0", name: "second", upstream }), /409/);
  for (const each of Object.values(await toxiproxy.getAll())) await each.remove();
  assert.deepEqual(await toxiproxy.getAll(), {});
});
