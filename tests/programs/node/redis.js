// A client of Redis that notices what a proxy does to its connection.
"use strict";
const net = require("node:net");

class Client {
  // `address`: HOST:PORT, of which the port counts. `ended` resolves at the end of the connection.
  constructor(address) {
    this.received = "";
    this.notice = () => {};
    this.socket = net.connect(Number(address.split(":").pop()), "127.0.0.1");
    this.socket.on("data", (data) => {
      this.received += data;
      this.notice();
    });
    this.socket.on("error", () => {});
    this.ended = new Promise((resolve) => this.socket.on("close", resolve)).then(() => this.notice());
  }

  // A PING: what came back, up to a whole line or the end of the connection, and the milliseconds that it took.
  ping() {
    const began = Date.now();
    this.received = "";
    this.socket.write("PING\r\n");
    return new Promise((resolve) => {
      this.notice = () => {
        if (!this.received.endsWith("\r\n") && !this.socket.closed) return;
        resolve({ reply: this.received, took: Date.now() - began });
      };
      if (this.socket.closed) this.notice();
    });
  }

  close() {
    this.socket.end();
  }
}

// A PING on a connection of its own.
async function ping(address) {
  const client = new Client(address);
  const result = await client.ping();
  client.close();
  return result;
}

// Run what is done when all of its calls had the effect that they should have.
function run(main) {
  main(...process.argv.slice(2)).then(
    () => console.log("done"),
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
}

module.exports = { Client, ping, run };
