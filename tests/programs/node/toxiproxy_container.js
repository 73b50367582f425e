// Drives Toxiproxy's API as the documentation of @testcontainers/toxiproxy does, without a container: see
// testcontainers/index.js. The argument is the upstream.
"use strict";
const assert = require("node:assert");
const { ToxiProxyContainer } = require("@testcontainers/toxiproxy");
const { Toxiproxy } = require("toxiproxy-node-client");
const { Client, ping, run } = require("./redis.js");

run(async (upstream) => {
  const container = await new ToxiProxyContainer("ghcr.io/shopify/toxiproxy:2.12.0").start();
  assert.ok(container.client instanceof Toxiproxy);
  const proxy = await container.createProxy({ name: "redis", upstream });
  const address = `${proxy.host}:${proxy.port}`;
  const client = new Client(address);
  assert.equal((await client.ping()).reply, "+PONG\r\n");

  const latency = { type: "latency", name: "late", stream: "upstream", toxicity: 1, attributes: { jitter: 0, latency: 400 } };
  const toxic = await proxy.instance.addToxic(latency);
  assert.equal(toxic.name, "late");
  assert.ok((await client.ping()).took >= 400);
  await toxic.remove();
  assert.equal((await client.ping()).reply, "+PONG\r\n");

  await proxy.setEnabled(false);
  await client.ended;
  assert.equal((await ping(address)).reply, "");
  await proxy.setEnabled(true);
  assert.equal((await ping(address)).reply, "+PONG\r\n");

  const second = await container.createProxy({ name: "second", upstream });
  assert.equal(second.port, proxy.port + 1);
  assert.equal((await ping(`${second.host}:${second.port}`)).reply, "+PONG\r\n");
  for (const each of Object.values(await container.client.getAll())) await each.remove();
  await container.stop();
});
