// A resumable socket.io server, WebSocket transport only. As the library's documentation recommends for delivery guarantees, the application keeps what it
// has sent, and a client says in auth.serverOffset what it has:
//
//   auth {"client_id":"ID","serverOffset":N,"topic":"T","topicOffset":M}; serverOffset 0 and no topicOffset at first
//
// Events are "frame" (object, N), and "topic" (object, M) for the topic, which is a room. Who brings no topicOffset is told where the topic stands by
// "following" (M), and has what comes from then on.
//
// With --recovery it is the library's own connectionStateRecovery instead: each client is a room, the application keeps nothing, and a client comes back
// with auth.pid and auth.offset. Then an "attached" event without arguments comes first: a client that has had no event has no offset to come back with.

import { createRequire } from 'node:module';
import { Server } from 'socket.io';
import { Outbox, Outboxes } from './outbox.mjs';
import { flags, listen, stand } from './stand.mjs';

const waitingLimit = 20_000; // packets that may wait for one socket, a whole outbox among them; one that is slower has to come back, and resumes

const { listen: address, recovery } = flags('recovery');
const clients = new Outboxes();
const topics = new Map();

function topicOf(name) {
  let topic = topics.get(name);
  if (topic === undefined) topics.set(name, (topic = new Outbox()));
  return topic;
}

function publish(client, object) {
  const outbox = clients.of(client);
  const seq = outbox.append(object);
  const { socket } = outbox;
  if (socket === null) return seq;
  if (socket.conn.writeBuffer.length > waitingLimit) socket.conn.close(true);
  else socket.emit('frame', object, seq);
  return seq;
}

function broadcast(name, object) {
  io.to('topic ' + name).emit('topic', object, topicOf(name).append(object));
}

const kept = {
  unicast: (client, frame) => publish(client, frame.object()),
  fanout: (topic, frame) => broadcast(topic, frame.object()),
  publish: (client, json, object) => publish(client, object),
};
const recovered = {
  unicast: (client, frame) => io.to('client ' + client).emit('frame', frame.object()),
  fanout: (topic, frame) => io.to('topic ' + topic).emit('topic', frame.object()),
  publish: (client, json, object) => (io.to('client ' + client).emit('frame', object), 0),
};

const version = createRequire(import.meta.url)('socket.io/package.json').version;
const server = stand(recovery ? 'socketio-recovery' : 'socketio', version, recovery ? recovered : kept);
const io = new Server(server, {
  transports: ['websocket'],
  serveClient: false,
  perMessageDeflate: false,
  maxHttpBufferSize: 64 << 10,
  pingInterval: 25_000,
  ...(recovery && { connectionStateRecovery: {} }),
});
// The documentation's advice on memory: the request of the handshake is not needed any more.
io.engine.on('connection', (connection) => {
  connection.request = null;
});

io.on('connection', (socket) => {
  const { client_id: client, serverOffset = 0, topic, topicOffset } = socket.handshake.auth;
  if (typeof client !== 'string' || client === '' || client.length > 128 || !Number.isSafeInteger(serverOffset) || serverOffset < 0) {
    socket.emit('refused', 'client_id must be 1 to 128 characters, and serverOffset a number from 0 on');
    socket.disconnect(true);
    return;
  }
  if (recovery) {
    if (socket.recovered) return; // its rooms and what it missed are restored
    socket.join('client ' + client);
    if (topic) socket.join('topic ' + topic);
    socket.emit('attached');
    return;
  }
  const outbox = clients.of(client);
  outbox.socket?.disconnect(true);
  outbox.socket = socket;
  socket.on('disconnect', () => {
    if (outbox.socket === socket) outbox.socket = null;
  });
  if (topic) {
    const log = topicOf(topic);
    socket.join('topic ' + topic);
    if (topicOffset === undefined) socket.emit('following', log.seq);
    else log.after(topicOffset, (object, seq) => socket.emit('topic', object, seq));
  }
  outbox.after(serverOffset, (object, seq) => socket.emit('frame', object, seq));
});

listen(server, address);
