// bench/delivery-clients.ts
import { createSyncClient } from "statewire";
import { createDelivery } from "statewire/delivery";
import { io } from "socket.io-client";
import WebSocket from "ws";

// bench/notes.mjs
import * as z from "zod";

// dist/errors.js
var SyncError = class extends Error {
  name = "SyncError";
  code;
  constructor(code2, message, options) {
    super(message, options);
    this.code = code2;
  }
};
function assertThat(holds, code2, message) {
  if (!holds)
    throw new SyncError(code2, message);
}

// dist/clock.js
var LONGEST_TIMER_MS = 2 ** 31 - 1;
var DELAY = `a number of milliseconds from 0 to ${LONGEST_TIMER_MS}`;
function isDelay(value) {
  return typeof value === "number" && value >= 0 && value <= LONGEST_TIMER_MS;
}

// dist/persistent-map.js
var CHUNK = 256;
var PersistentMap = class _PersistentMap {
  [Symbol.toStringTag] = "PersistentMap";
  index;
  moves;
  chunks;
  // Whether another version holds the same array of chunks.
  isShared;
  slots;
  count;
  edit;
  constructor(from, edit) {
    this.index = from?.index ?? createIndex([]);
    this.moves = from?.moves ?? 0;
    this.chunks = from?.chunks ?? [];
    this.isShared = from !== void 0;
    this.slots = from?.slots ?? 0;
    this.count = from?.count ?? 0;
    this.edit = edit;
  }
  /** A map without entries. */
  static empty() {
    return new _PersistentMap(void 0, void 0);
  }
  /** A map of the given entries; the last one of a key wins. */
  static from(entries) {
    const edit = _PersistentMap.empty().openEdit();
    for (const [key, value] of entries)
      edit.map.set(key, value);
    return edit.close();
  }
  get size() {
    return this.count;
  }
  get(key) {
    const slot = this.find(key);
    return slot < 0 ? void 0 : this.at(slot)?.[1];
  }
  has(key) {
    return this.find(key) >= 0;
  }
  /** The map with this entry; inside an open edit, this very map. */
  set(key, value) {
    const slot = this.find(key);
    if (slot >= 0 && Object.is(this.at(slot)?.[1], value))
      return this;
    const map2 = this.writable();
    if (slot >= 0)
      map2.write(slot, key, [key, value]);
    else
      map2.append(key, value);
    return map2;
  }
  /** The map without this key; inside an open edit, this very map. */
  delete(key) {
    const slot = this.find(key);
    if (slot < 0)
      return this;
    const map2 = this.writable();
    map2.write(slot, key, void 0);
    map2.count -= 1;
    return map2;
  }
  /** Opens a copy for a series of updates in place. This map stays as it is. */
  openEdit() {
    const isOpen = this.edit?.open === true;
    if (isOpen)
      this.disown();
    const changed = [];
    const map2 = new _PersistentMap(this, { open: true, changed });
    return {
      map: map2,
      changed,
      close: () => {
        if (map2.edit !== void 0)
          map2.edit.open = false;
        return changed.length === 0 && !isOpen ? this : map2;
      }
    };
  }
  forEach(visit, thisArg) {
    for (const [key, value] of this)
      visit.call(thisArg, value, key, this);
  }
  *entries() {
    for (const chunk of this.chunks) {
      for (const entry of chunk.entries)
        if (entry !== void 0)
          yield [entry[0], entry[1]];
    }
  }
  *keys() {
    for (const [key] of this.entries())
      yield key;
  }
  *values() {
    for (const [, value] of this.entries())
      yield value;
  }
  [Symbol.iterator]() {
    return this.entries();
  }
  /** The entries as a plain object, for `JSON.stringify`. */
  toJSON() {
    return Object.fromEntries(this);
  }
  /** The chunks as they stand: how `createSummary` reads a map. @internal */
  static chunksOf(map2) {
    return map2.chunks;
  }
  at(slot) {
    return this.chunks[slot >> 8]?.entries[slot & CHUNK - 1];
  }
  find(key) {
    const slot = this.index.slots.get(key);
    if (slot === void 0)
      return -1;
    if (this.at(slot)?.[0] === key)
      return slot;
    if (this.moves === this.index.moves)
      return -1;
    this.index = createIndex(this.chunks);
    this.moves = 0;
    return this.index.slots.get(key) ?? -1;
  }
  writable() {
    const map2 = this.edit?.open === true ? this : new _PersistentMap(this, void 0);
    if (map2.isShared)
      map2.chunks = map2.chunks.slice();
    map2.isShared = false;
    return map2;
  }
  append(key, value) {
    if (this.count === 0 || this.isSparse())
      this.compact();
    const { index, slots: slot } = this;
    const former = index.slots.get(key);
    if (former !== slot) {
      index.slots.set(key, slot);
      if (former !== void 0) {
        this.moves += 1;
        index.moves += 1;
      }
    }
    this.slots += 1;
    this.count += 1;
    this.write(slot, key, [key, value]);
  }
  write(slot, key, entry) {
    const at = slot >> 8;
    let chunk = this.chunks[at];
    if (chunk?.edit === void 0 || chunk.edit !== this.edit) {
      chunk = { edit: this.edit, entries: chunk?.entries.slice() ?? [] };
      this.chunks[at] = chunk;
    }
    chunk.entries[slot & CHUNK - 1] = entry;
    this.edit?.changed.push(key);
  }
  // In an edit of an edit, what both can see is from now on neither's to change in place.
  disown() {
    if (this.edit === void 0)
      return;
    this.edit.open = false;
    this.edit = { open: true, changed: this.edit.changed };
    this.isShared = true;
  }
  // Holes are left where keys were deleted, and hints where other versions inserted; once either
  // outweighs the entries, a rewrite costs no more per update than the updates that led to it.
  isSparse() {
    const bound = 2 * this.count + CHUNK;
    return this.slots > bound || this.index.slots.size > bound + this.slots;
  }
  compact() {
    const entries = this.chunks.flatMap((chunk) => chunk.entries.filter((entry) => !!entry));
    this.chunks = [];
    for (let at = 0; at < entries.length; at += CHUNK) {
      this.chunks.push({ edit: this.edit, entries: entries.slice(at, at + CHUNK) });
    }
    this.index = createIndex(this.chunks);
    this.moves = 0;
    this.slots = entries.length;
  }
};
function createIndex(chunks) {
  const slots = /* @__PURE__ */ new Map();
  for (const [at, chunk] of chunks.entries()) {
    for (const [offset, entry] of chunk.entries.entries()) {
      if (entry !== void 0)
        slots.set(entry[0], at * CHUNK + offset);
    }
  }
  return { slots, moves: 0 };
}

// dist/schemas/schema.js
import { safeParse } from "zod/v4/core";
function isSchema(value) {
  return typeof value === "object" && value !== null && "_zod" in value;
}
function assertMessageSchemas(where, value) {
  const isObject = typeof value === "object" && value !== null;
  assertThat(isObject, "protocol-invalid", `${where} must be an object of message schemas`);
  for (const [type, schema2] of Object.entries(value)) {
    const at = `${where}.${type}`;
    const isFree = type !== "" && !type.startsWith("$");
    assertThat(isFree, "protocol-invalid", `${at}: types that are empty or start with $ are reserved`);
    const isBody = schema2 === null || isSchema(schema2);
    assertThat(isBody, "protocol-invalid", `${at} must be a zod 4 schema or null`);
  }
}

// dist/schemas/coordinator.js
function assertCoordinatorDefinition(definition) {
  const { initial, fold, expire = {}, snapshot, checkpoint, presence, opened } = definition;
  assertKind("initial", initial, object);
  assertKind("fold", fold, object);
  for (const [type, one] of Object.entries(fold)) {
    if (one !== void 0)
      assertKind(`fold.${type}`, one, code);
  }
  if (opened !== void 0)
    assertKind("opened", opened, code);
  assertKind("expire", expire, object);
  for (const [field2, rule] of Object.entries(expire)) {
    if (rule === void 0)
      continue;
    assertKind(`expire.${field2}`, rule, object);
    assertKind(`expire.${field2}`, initial[field2], map);
    assertKind(`expire.${field2}.when`, rule["when"], code);
    assertKind(`expire.${field2}.afterMs`, rule["afterMs"], delay);
  }
  if (snapshot !== void 0) {
    assertKind("snapshot", snapshot, object);
    assertKind("snapshot.schema", snapshot["schema"], schema);
    assertKind("snapshot.fold", snapshot["fold"], code);
  }
  if (checkpoint !== void 0) {
    assertKind("checkpoint", checkpoint, object);
    assertKind("checkpoint.schema", checkpoint["schema"], schema);
    assertKind("checkpoint.take", checkpoint["take"], code);
    assertKind("checkpoint.restore", checkpoint["restore"], code);
  }
  if (presence === void 0)
    return;
  assertKind("presence", presence, object);
  const { field, unconfirm, isUnconfirmed, leaveAfterMs } = presence;
  const peers = typeof field === "string" ? initial[field] : void 0;
  assertKind("presence.field", peers, map);
  assertKind("presence.unconfirm", unconfirm, code);
  assertKind("presence.isUnconfirmed", isUnconfirmed, code);
  assertKind("presence.leaveAfterMs", leaveAfterMs, delay);
}
var object = { is: isRecord, called: "an object" };
var code = {
  is: (value) => typeof value === "function",
  called: "a function"
};
var map = {
  is: (value) => value instanceof PersistentMap,
  called: "the name of a PersistentMap in initial"
};
var schema = { is: isSchema, called: "a zod 4 schema" };
var delay = { is: isDelay, called: DELAY };
function assertKind(name, value, { is, called }) {
  assertThat(is(value), "protocol-invalid", `coordinator.${name} must be ${called}`);
}
function isRecord(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// dist/schemas/envelope.js
function createEnvelope(fields = {}) {
  const type = fields.type ?? "type";
  const batch = fields.batch ?? { type: "BATCH", frames: "messages" };
  return {
    toClient: createDirection(type, fields.data ?? "data", batch),
    toServer: createDirection(type, fields.payload ?? "payload", batch)
  };
}
function createDirection(typeField, bodyField, batch) {
  const direction = {
    open(frame) {
      if (!isFields(frame))
        return { kind: "invalid", detail: "the frame is not an object" };
      const type = frame[typeField];
      if (typeof type !== "string" || type === "") {
        return { kind: "invalid", detail: `the frame has no "${typeField}"` };
      }
      if (batch !== false && type === batch.type) {
        const frames = frame[batch.frames];
        if (Array.isArray(frames))
          return { kind: "batch", frames };
        return { kind: "invalid", detail: `${batch.type} without a "${batch.frames}" array` };
      }
      return { kind: "message", type, body: frame[bodyField], meta: readMeta(frame) };
    },
    seal: (type, body, meta) => ({ [typeField]: type, [bodyField]: body, ...meta })
  };
  if (batch === false)
    return direction;
  return {
    ...direction,
    batch: (frames, meta) => ({ [typeField]: batch.type, [batch.frames]: frames, ...meta })
  };
}
function readMeta(frame) {
  const { timestamp, deviceId, userId } = frame;
  const meta = {
    timestamp: typeof timestamp === "number" ? timestamp : void 0,
    deviceId: typeof deviceId === "string" ? deviceId : void 0,
    userId: typeof userId === "string" ? userId : void 0
  };
  return frame["seq"] === void 0 && frame["n"] === void 0 ? meta : readNumbers(frame, meta);
}
function readNumbers({ seq, epoch, id, cid, n }, meta) {
  return {
    ...meta,
    ...isNumber(seq) && typeof epoch === "string" && { seq, epoch },
    ...typeof id === "string" && { id },
    ...isNumber(n) && typeof cid === "string" && { cid, n }
  };
}
function isNumber(value) {
  return Number.isSafeInteger(value) && Number(value) > 0;
}
function isFields(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// dist/schemas/protocol.js
var standardHeartbeat = { ping: "PING", pong: "PONG" };
function defineProtocol(definition) {
  assertMessageSchemas("receive", definition.receive);
  assertMessageSchemas("send", definition.send);
  const { credentials } = definition;
  const isRule = credentials === void 0 || isSchema(credentials.schema);
  assertThat(isRule, "protocol-invalid", "credentials.schema must be a zod 4 schema");
  if (definition.coordinator !== void 0)
    assertCoordinatorDefinition(definition.coordinator);
  return {
    ...definition,
    envelope: definition.envelope ?? createEnvelope(),
    heartbeat: definition.heartbeat ?? standardHeartbeat
  };
}

// bench/notes.mjs
var note = z.object({ text: z.string() });
var notes = defineProtocol({ receive: { SAID: note }, send: { NOTE: note } });

// bench/delivery-clients.ts
var connectStatewire = async (port) => {
  const sync = createSyncClient(notes, {
    url: `ws://127.0.0.1:${port}/ws?user=${Math.random()}`,
    delivery: createDelivery({ maxMessages: 1e5, maxBytes: 2 ** 30 })
  });
  const isLive = new Promise((resolve) => {
    sync.outbox$.subscribe(({ delivery }) => {
      if (delivery === "live") resolve(void 0);
    });
  });
  sync.start();
  await isLive;
  return {
    async send(text) {
      const { outcome } = await sync.send("NOTE", { text }).settled;
      if (outcome !== "delivered") throw new Error(`a message was ${outcome}`);
    },
    close: () => sync.dispose()
  };
};

// bench/delivery-worker.ts
import { Worker } from "node:worker_threads";
async function startServers() {
  const worker = new Worker(new URL("./bench/delivery-servers.mjs", import.meta.url));
  const hear = () => new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  const ports = await hear();
  return {
    ports,
    async say(user, count) {
      const said = hear();
      worker.postMessage({ user, count });
      await said;
    },
    stop() {
      worker.postMessage("stop");
    }
  };
}

// zz.ts
var servers = await startServers();
var c = await connectStatewire(servers.ports.sync);
for (let r = 0; r < 6; r++) {
  let t = performance.now();
  for (let i = 0; i < 3e3; i++) await c.send("x" + i);
  console.log("rt us", (performance.now() - t) / 3);
  t = performance.now();
  let next = 0;
  await Promise.all(Array.from({ length: 256 }, async () => {
    while (next < 2e4) {
      next++;
      await c.send("a message of the usual length " + next);
    }
  }));
  console.log("per s", 2e4 / (performance.now() - t) * 1e3);
}
c.close();
servers.stop();
