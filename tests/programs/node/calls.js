// Calls methods of a server of which nothing is known but its address: what there is, it says by reflection.
//
//   node calls.js ADDRESS < calls.json
//
// calls.json is a list of {method, request, first}, made in this order; of a stream, `first` takes one answer and leaves,
// otherwise it is read to its end. Out come all methods that there are, and what each call was answered with.
'use strict';

const fs = require('node:fs');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const protobuf = require('protobufjs');

// What of grpc/reflection/v1/reflection.proto is needed to get at everything else.
const bootstrap = protobuf.parse(`
  syntax = "proto3";
  message Request { oneof kind { string file_containing_symbol = 4; string list_services = 7; } }
  message Response {
    Files file_descriptor_response = 4;
    Services list_services_response = 6;
  }
  message Files { repeated bytes file_descriptor_proto = 1; }
  message Services { repeated Service service = 1; }
  message Service { string name = 1; }
  message FileSet { repeated bytes file = 1; }
`, { keepCase: true }).root;
const [Request, Response, FileSet] = ['Request', 'Response', 'FileSet'].map((name) => bootstrap.lookupType(name));

const OPTIONS = { keepCase: true, longs: Number, enums: String, bytes: String, oneofs: true };
const SECONDS = 60;

async function main(address) {
  const channel = new grpc.Client(address, grpc.credentials.createInsecure());
  const ask = (question) => new Promise((resolve, reject) => {
    const call = channel.makeBidiStreamRequest(
      '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
      (message) => Buffer.from(Request.encode(message).finish()), (bytes) => Response.decode(bytes));
    call.on('data', resolve).on('error', reject);
    call.write(question);
    call.end();
  });

  const services = (await ask({ list_services: '' })).list_services_response.service.map(({ name }) => name);
  const methods = {};
  for (const name of services) {
    const files = (await ask({ file_containing_symbol: name })).file_descriptor_response.file_descriptor_proto;
    const set = Buffer.from(FileSet.encode({ file: files }).finish());
    for (const [method, definition] of Object.entries(loader.loadFileDescriptorSetFromBuffer(set, OPTIONS)[name])) {
      methods[`${name}/${method}`] = definition;
    }
  }

  const answers = [];
  for (const call of JSON.parse(fs.readFileSync(0, 'utf8'))) {
    const definition = methods[call.method];
    answers.push(definition ? await made(channel, definition, call) : { error: `there is no ${call.method}` });
  }
  channel.close();
  process.stdout.write(JSON.stringify({ methods: Object.keys(methods), answers }));
}

function made(channel, definition, { request, first }) {
  const { path, requestSerialize, responseDeserialize, requestStream, responseStream } = definition;
  const options = { deadline: new Date(Date.now() + SECONDS * 1000) };
  return new Promise((resolve) => {
    const failed = (error) => resolve({ error: error.message });
    if (!responseStream) {
      channel.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, new grpc.Metadata(), options,
        (error, answer) => (error ? failed(error) : resolve({ answers: [answer] })));
      return;
    }
    const call = requestStream
      ? channel.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new grpc.Metadata(), options)
      : channel.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, new grpc.Metadata(), options);
    const answers = [];
    call.on('error', failed).on('end', () => resolve({ answers })).on('data', (answer) => {
      answers.push(answer);
      if (first) {
        resolve({ answers });
        call.cancel();
      }
    });
    if (requestStream) {
      call.write(request);
      call.end();
    }
  });
}

main(process.argv[2]).catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
