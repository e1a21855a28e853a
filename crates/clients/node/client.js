// Commands and queries from Node, with a client made from the protos when it starts, and what a
// program in earnest needs.
//
// Usage: node client.js [COMMAND_ADDRESS [QUERY_ADDRESS]]

'use strict';

const { randomUUID } = require('node:crypto');
const path = require('node:path');
const { credentials, loadPackageDefinition, status } = require('@grpc/grpc-js');
const { loadSync } = require('@grpc/proto-loader');
const { getProtoPath } = require('google-proto-files');

const protos = ['circles/v1/command_service.proto', 'circles/v1/query_service.proto'];
const definition = loadSync([...protos, 'google/rpc/status.proto', 'google/rpc/error_details.proto'], {
  includeDirs: [path.join(__dirname, '../../../proto'), path.join(getProtoPath(), '..')],
  keepCase: true, // the names of the protos, not camelCase
  longs: String, // sequences are 64 bit numbers, more than a Number holds
  enums: String,
  arrays: true,
  oneofs: true,
});
const { v1 } = loadPackageDefinition(definition).circles;

// For a call with all its retries. A call without a deadline may wait for ever.
const DEADLINE_MS = 10_000;

// The channel tries again by itself: as soon as the service asks for it, else after this backoff.
const RETRIES = {
  methodConfig: [
    {
      name: [{}], // every method
      retryPolicy: {
        maxAttempts: 5,
        initialBackoff: '0.1s',
        maxBackoff: '2s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE', 'RESOURCE_EXHAUSTED'],
      },
    },
  ],
};

function connect(Client, address) {
  return new Client(address, credentials.createInsecure(), { 'grpc.service_config': JSON.stringify(RETRIES) });
}

function call(client, method, request) {
  return new Promise((resolve, reject) => {
    client[method](request, { deadline: Date.now() + DEADLINE_MS }, (error, answer) =>
      error ? reject(error) : resolve(answer),
    );
  });
}

// What a failure says to programs, by the name of its type, such as ErrorInfo.
function details(error) {
  const [packed] = error.metadata?.get('grpc-status-details-bin') ?? [];
  const found = {};
  if (!packed) return found;
  for (const { type_url, value } of definition['google.rpc.Status'].deserialize(packed).details) {
    const type = type_url.split('/').pop();
    found[type.split('.').pop()] = definition[type].deserialize(value);
  }
  return found;
}

// The request_id makes a command safe to repeat, for the channel's retries as well: a second one
// under the same id changes nothing and gets the answer of the first one.
function creation(name, capacity) {
  return { name, capacity, request_id: randomUUID() };
}

// Every field that breaks a rule is named, for a form to show beside it.
async function showBadFields(commands) {
  try {
    await call(commands, 'CreateCircle', creation(' ', 2));
  } catch (error) {
    if (error.code !== status.INVALID_ARGUMENT) throw error;
    for (const { field, description } of details(error).BadRequest.field_violations) {
      console.log(`invalid ${field}: ${description}`);
    }
  }
}

// Changes a circle that is as the caller saw it, or as it has become meanwhile.
async function update(commands, circle_id, version, capacity) {
  for (;;) {
    try {
      const request = { circle_id, version, capacity, request_id: randomUUID() };
      const updated = await call(commands, 'UpdateCircle', request);
      console.log(`updated: version ${updated.version}, sequence ${updated.sequence}`);
      return updated;
    } catch (error) {
      if (error.code !== status.ABORTED) throw error;
      // Somebody else was faster. A program in earnest reads the circle again here, and decides
      // whether its change still makes sense.
      version = Number(details(error).ErrorInfo.metadata.present_version);
      console.log(`conflict: the circle has version ${version} now`);
    }
  }
}

// All circles with such a name, and the sequence that a watch goes on from.
async function listAll(queries, name_prefix, min_sequence) {
  const circles = new Map();
  let sequence;
  let page_token = '';
  do {
    const request = { page_size: 2, page_token, filter: { name_prefix }, min_sequence };
    const page = await call(queries, 'ListCircles', request);
    console.log(`page: ${page.circles.map((circle) => circle.name).join(', ')}`);
    for (const circle of page.circles) circles.set(circle.circle_id, circle);
    // Of the first page: what changed while the others were read is then told again.
    sequence ??= page.sequence;
    page_token = page.next_page_token;
  } while (page_token);
  return { circles, sequence };
}

// Keeps the circles as they become, until a change with this sequence.
async function watch(queries, circles, from_sequence, until) {
  const request = { from_sequence, circle_ids: [...circles.keys()] };
  const messages = queries.WatchCircles(request, { deadline: Date.now() + DEADLINE_MS });
  // After an interruption (UNAVAILABLE, RESOURCE_EXHAUSTED, the deadline) watch again from the
  // last sequence received. OUT_OF_RANGE: that is too long ago; list again.
  for await (const { event, change } of messages) {
    if (event === 'progress') continue;
    if (change.circle) circles.set(change.circle_id, change.circle);
    else circles.delete(change.circle_id);
    console.log(`watched: ${change.type}, sequence ${change.sequence}, ${circles.size} circles`);
    if (BigInt(change.sequence) >= BigInt(until)) break; // which cancels the call
  }
}

async function main(commandAddress = '127.0.0.1:50051', queryAddress = '127.0.0.1:50052') {
  const commands = connect(v1.CircleCommandService, commandAddress);
  const queries = connect(v1.CircleQueryService, queryAddress);
  const prefix = `example ${randomUUID().slice(0, 8)} `;

  await showBadFields(commands);

  const request = creation(`${prefix}football`, 20);
  const football = await call(commands, 'CreateCircle', request);
  console.log(`created: ${football.circle_id}, version ${football.version}, sequence ${football.sequence}`);
  const again = await call(commands, 'CreateCircle', request);
  console.log(`again: ${again.circle_id}, version ${again.version}, sequence ${again.sequence}`);
  const { circle_id } = football;

  await update(commands, circle_id, 1, 30);
  const updated = await update(commands, circle_id, 1, 40);

  // With the sequence of a command's answer a query waits until the change is visible.
  const { circle } = await call(queries, 'GetCircle', { circle_id, min_sequence: updated.sequence });
  console.log(`read: ${circle.name}, capacity ${circle.capacity}, version ${circle.version}`);

  await call(commands, 'CreateCircle', creation(`${prefix}baseball`, 25));
  const handball = await call(commands, 'CreateCircle', creation(`${prefix}handball`, 15));
  const { circles, sequence } = await listAll(queries, prefix, handball.sequence);

  const history = await call(queries, 'GetCircleHistory', { circle_id });
  for (const { type, version, capacity_after } of history.entries) {
    console.log(`history: ${type}, version ${version}, capacity ${capacity_after}`);
  }

  const deletion = { circle_id: handball.circle_id, version: 1, reason: 'too few members', request_id: randomUUID() };
  const deleted = await call(commands, 'DeleteCircle', deletion);
  await watch(queries, circles, sequence, deleted.sequence);
}

main(...process.argv.slice(2)).catch((error) => {
  const { reason = 'no reason' } = details(error).ErrorInfo ?? {};
  console.error(error.code === undefined ? error : `${status[error.code]} (${reason}): ${error.details}`);
  process.exitCode = 1;
});
