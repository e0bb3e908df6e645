// The stand: the HTTP side that both servers here have, beside their own WebSocket. /bench/… is what the load generator drives and asks; /publish is how an
// application in another process would publish to a client.

import http from 'node:http';
import { parseArgs } from 'node:util';
import { Conflict, Publisher } from './publisher.mjs';

const bodyLimit = 4 << 20; // bytes of a request
const frameLimit = 64 << 10; // bytes of one published object

// stand makes the server, which does not listen yet. target has unicast(client, frame) and fanout(topic, frame) for the publisher inside, and
// publish(client, json, object), which returns the frame's number in the client's outbox.
export function stand(name, version, target) {
  const publisher = new Publisher(target);
  const calls = {
    'GET /bench/ready': async () => ({ name, version: `${version}, Node ${process.version}` }),
    'POST /bench/start': async (req) => {
      publisher.start(object(await body(req)));
      return {};
    },
    'POST /bench/credit': null, // in the handler below, where it takes no promise
    'POST /bench/stop': async () => ({ published: publisher.stop() }),
    'POST /bench/fill': async (req) => ({ published: await publisher.fill(object(await body(req))) }),
    'POST /bench/settle': async () => ({ heap_bytes: settle() }),
    'POST /publish': async (req, query) => publish(target, req, query.get('client_id')),
  };
  // Connections of publishers are kept: Node would close them after five seconds without a request.
  return http.createServer({ keepAliveTimeout: 0 }, (req, res) => {
    const mark = req.url.indexOf('?');
    const path = mark < 0 ? req.url : req.url.slice(0, mark);
    const query = new URLSearchParams(mark < 0 ? '' : req.url.slice(mark + 1));
    const call = `${req.method} ${path}`;
    if (!Object.hasOwn(calls, call)) {
      answer(res, 404, { error: `there is no ${call}; there are ${Object.keys(calls).join(', ')}` });
    } else if (call === 'POST /bench/credit') {
      credit(publisher, query, res);
    } else {
      calls[call](req, query).then(
        (value) => answer(res, 200, value),
        (error) => refuse(res, error),
      );
    }
  });
}

// listen has the server listen where --listen says, and end on SIGTERM. It returns at once.
export function listen(server, listen) {
  const match = /^(127\.\d+\.\d+\.\d+):(\d+)$/.exec(listen ?? '');
  if (match === null) {
    console.error('--listen must be a loopback address and a port, like 127.0.0.1:7600');
    process.exit(2);
  }
  process.on('SIGTERM', () => process.exit(0));
  server.on('error', (error) => {
    console.error(`cannot listen on ${listen}: ${error.message}`);
    process.exit(1);
  });
  server.listen({ host: match[1], port: Number(match[2]), backlog: 4096 });
}

// flags are those of the command line: --listen, and the booleans that are named.
export function flags(...booleans) {
  try {
    return parseArgs({ options: { listen: { type: 'string' }, ...Object.fromEntries(booleans.map((name) => [name, { type: 'boolean', default: false }])) } }).values;
  } catch (error) {
    console.error(error.message);
    return process.exit(2);
  }
}

function credit(publisher, query, res) {
  try {
    publisher.credit(Number(query.get('n')));
    res.writeHead(204);
    res.end();
  } catch (error) {
    refuse(res, error);
  }
}

// publish takes one JSON object, or many as NDJSON, all of them or none, and checks them as an application would.
async function publish(target, req, client) {
  if (!client) throw new RangeError('POST /publish?client_id=ID needs the client that the frames are for');
  const text = await body(req);
  const many = req.headers['content-type'] === 'application/x-ndjson';
  const frames = (many ? text.split('\n').filter((line) => line !== '') : [text]).map((json) => {
    const frame = object(json);
    if (typeof frame.type !== 'string') throw new RangeError('a frame is one JSON object with a string "type"');
    if (json.length > frameLimit) throw new RangeError(`a frame is at most ${frameLimit} bytes`);
    return { json, frame };
  });
  let seq;
  for (const { json, frame } of frames) seq = target.publish(client, json, frame);
  return { seq };
}

// settle collects what can be, and says what is left: V8's heap, and what lies outside of it and belongs to its objects. 0 is not known.
function settle() {
  if (!globalThis.gc) return 0;
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function body(req) {
  return new Promise((resolve, reject) => {
    const parts = [];
    let length = 0;
    req.on('data', (part) => {
      length += part.length;
      if (length <= bodyLimit) parts.push(part);
    });
    req.on('end', () => (length <= bodyLimit ? resolve(Buffer.concat(parts).toString()) : reject(new RangeError(`a body is at most ${bodyLimit} bytes, not ${length}`))));
    req.on('error', reject);
  });
}

function object(json) {
  const value = JSON.parse(json);
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new RangeError('the body must be a JSON object');
  return value;
}

function answer(res, status, value) {
  const text = JSON.stringify(value);
  res.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
  res.end(text);
}

// refuse says what was wrong with a request; what is wrong with the server itself is a 500 and is said on stderr too.
function refuse(res, error) {
  let status = 500;
  if (error instanceof Conflict) status = 409;
  else if (error instanceof RangeError || error instanceof SyntaxError) status = 400;
  else console.error(error);
  answer(res, status, { error: error.message });
}
