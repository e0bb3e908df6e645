// A resumable WebSocket server as a Node developer would write it with the ws package.
//
//   /ws?client_id=ID[&since=N][&topic=T[&topic_since=M]]
//
// The first message is {"head":H,"lost":L}, with "topic_head" and "topic_lost" for one that follows a topic: the newest numbers, and how many frames after
// since are gone. Then come frames, {"seq":N,"data":{…}}, from since on; those of a topic are {"topic":"T","topic_seq":M,"data":{…}}.

import { createRequire } from 'node:module';
import { WebSocketServer } from 'ws';
import { Outbox, Outboxes } from './outbox.mjs';
import { flags, listen, stand } from './stand.mjs';

const pingEvery = 25_000; // milliseconds
const bufferLimit = 8 << 20; // bytes that may wait for one socket, a whole outbox among them; one that is slower has to come back, and resumes

const { listen: address } = flags();
const clients = new Outboxes();
const topics = new Map();

function topicOf(name) {
  let topic = topics.get(name);
  if (topic === undefined) topics.set(name, (topic = { log: new Outbox(), followers: new Set() }));
  return topic;
}

function send(socket, message) {
  if (socket.bufferedAmount > bufferLimit) socket.terminate();
  else socket.send(message, { binary: false });
}

function publish(client, json) {
  const outbox = clients.of(client);
  const message = `{"seq":${outbox.next()},"data":${json}}`;
  const seq = outbox.append(message);
  if (outbox.socket !== null) send(outbox.socket, message);
  return seq;
}

// broadcast encodes once: what is sent to each follower is the same buffer.
function broadcast(name, json) {
  const { log, followers } = topicOf(name);
  const message = Buffer.from(`{"topic":${JSON.stringify(name)},"topic_seq":${log.next()},"data":${json}}`);
  log.append(message);
  for (const socket of followers) send(socket, message);
}

const server = stand('ws', createRequire(import.meta.url)('ws/package.json').version, {
  unicast: (client, frame) => publish(client, frame.json()),
  fanout: (topic, frame) => broadcast(topic, frame.json()),
  publish,
});
const sockets = new WebSocketServer({ server, path: '/ws', perMessageDeflate: false, maxPayload: 64 << 10 });

sockets.on('connection', (socket, request) => {
  const query = new URLSearchParams(request.url.slice(request.url.indexOf('?') + 1));
  const client = query.get('client_id');
  const since = Number(query.get('since') ?? 0);
  if (!client || client.length > 128 || !Number.isSafeInteger(since) || since < 0) {
    socket.close(4501, 'client_id must be 1 to 128 characters, and since a number from 0 on');
    return;
  }
  const outbox = clients.of(client);
  outbox.socket?.close(4500, 'replaced by a newer connection');
  outbox.socket = socket;
  const topic = query.has('topic') ? topicOf(query.get('topic')) : null;
  socket.on('error', () => {}); // a close event follows
  socket.on('close', () => {
    if (outbox.socket === socket) outbox.socket = null;
    topic?.followers.delete(socket);
  });
  socket.isAlive = true;
  socket.on('pong', alive);

  request.socket.cork(); // so that what was missed goes in one call
  const hello = { head: outbox.seq, lost: outbox.lost(since) };
  if (topic !== null) {
    const topicSince = Number(query.get('topic_since') ?? topic.log.seq);
    hello.topic_head = topic.log.seq;
    hello.topic_lost = topic.log.lost(topicSince);
    socket.send(JSON.stringify(hello));
    topic.log.after(topicSince, (message) => socket.send(message, { binary: false }));
    topic.followers.add(socket);
  } else {
    socket.send(JSON.stringify(hello));
  }
  outbox.after(since, (message) => socket.send(message));
  request.socket.uncork();
});

function alive() {
  this.isAlive = true;
}

// As the package's documentation has it: who has not answered the last ping is gone.
setInterval(() => {
  for (const socket of sockets.clients) {
    if (!socket.isAlive) {
      socket.terminate();
      continue;
    }
    socket.isAlive = false;
    socket.ping();
  }
}, pingEvery);

listen(server, address);
