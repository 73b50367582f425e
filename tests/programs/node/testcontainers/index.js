// What @testcontainers/toxiproxy uses of testcontainers, with a server that runs already in place of a container.
//
// The API's port is mapped to that of TOXIPROXY_API (HOST:PORT); each other port is mapped to itself.
"use strict";

const CONTROL_PORT = 8474;

class Server {
  getHost() {
    return process.env.TOXIPROXY_API.split(":")[0];
  }

  getMappedPort(port) {
    return port === CONTROL_PORT ? Number(process.env.TOXIPROXY_API.split(":")[1]) : port;
  }

  async stop() {}
}

class GenericContainer {
  withExposedPorts() {
    return this;
  }

  withWaitStrategy({ path, port }) {
    this.ready = (server) => fetch(`http://${server.getHost()}:${server.getMappedPort(port)}${path}`);
    return this;
  }

  withStartupTimeout() {
    return this;
  }

  async start() {
    const server = new Server();
    const { ok, status } = await this.ready(server);
    if (!ok) throw new Error(`status ${status}`);
    return server;
  }
}

class AbstractStartedContainer {
  constructor(started) {
    this.started = started;
  }

  getHost() {
    return this.started.getHost();
  }

  getMappedPort(port) {
    return this.started.getMappedPort(port);
  }

  stop() {
    return this.started.stop();
  }
}

const Wait = { forHttp: (path, port) => ({ path, port }) };

module.exports = { AbstractStartedContainer, GenericContainer, Wait };
