// Mercurius with `pg`: a mark is the same transaction, on the same tables, as in memberstaff.
//
// Lock the day, read the record with its person, store the record, append the revision, move the day on, commit; then
// publish. The statements are prepared (they have names), as memberstaff's are.

import Fastify from 'fastify';
import mercurius from 'mercurius';
import mqRedis from 'mqemitter-redis';
import pg from 'pg';
import { typeDefs } from './data.js';

const TOPIC = 'ATTENDANCE_UPDATED';
pg.types.setTypeParser(pg.types.builtins.DATE, (text) => text);
pg.types.setTypeParser(pg.types.builtins.INT8, Number);
const pool = new pg.Pool({
  host: process.env.BENCH_POSTGRES_HOST,
  user: process.env.BENCH_POSTGRES_USER,
  database: process.env.BENCH_POSTGRES_DATABASE,
  max: 10,
});

const LOCK_DAY = {
  name: 'lock-day',
  text: 'SELECT position, locked FROM attendance_day WHERE date = $1 FOR UPDATE',
};
const SELECT_RECORD = {
  name: 'select-record',
  text: `SELECT s.id, s.name, s.category, s.photo_url AS staff_photo_url, a.status, a.note, a.photo_url,
                coalesce(a.version, 0) AS version
         FROM staff s LEFT JOIN attendance a ON a.staff_id = s.id AND a.date = $1
         WHERE s.id = $2 FOR KEY SHARE OF s`,
};
const UPSERT_RECORD = {
  name: 'upsert-record',
  text: `INSERT INTO attendance (date, staff_id, status, note, photo_url, version, position, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (date, staff_id) DO UPDATE SET status = excluded.status, note = excluded.note,
           photo_url = excluded.photo_url, version = excluded.version, position = excluded.position,
           updated_at = excluded.updated_at`,
};
const INSERT_REVISION = {
  name: 'insert-revision',
  text: `INSERT INTO attendance_revision
           (date, staff_id, status, note, photo_url, version, position, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
};
const MOVE_DAY = {
  name: 'move-day',
  text: 'UPDATE attendance_day SET position = $2 WHERE date = $1',
};

async function mark(client, date, staffId, status, note) {
  const run = (statement, values) => client.query({ ...statement, values });
  const [day] = (await run(LOCK_DAY, [date])).rows;
  if (day.locked) throw new Error('The day is locked.');
  const [stored] = (await run(SELECT_RECORD, [date, staffId])).rows;
  if (!stored) throw new Error('There is no such person.');
  const position = day.position + 1;
  const version = stored.version + 1;
  const now = new Date();
  const row = [date, staffId, status, note, stored.photo_url, version, position, now];
  await run(UPSERT_RECORD, row);
  await run(INSERT_REVISION, row);
  await run(MOVE_DAY, [date, position]);
  return {
    id: staffId,
    status,
    note,
    photoUrl: stored.photo_url,
    date,
    updatedAt: now.toISOString(),
    version,
    staff: { id: staffId, name: stored.name, category: stored.category, photoUrl: stored.staff_photo_url },
  };
}

async function inTransaction(work) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}

const resolvers = {
  Mutation: {
    updateAttendance: async (_, { id, status, note }, { pubsub }) => {
      const changed = await inTransaction((client) => mark(client, process.env.BENCH_DATE, id, status, note));
      await pubsub.publish({ topic: TOPIC, payload: { attendanceUpdated: changed } });
      return changed;
    },
  },
};

const redis = new URL(process.env.REDIS_URL);
const app = Fastify();
app.register(mercurius, {
  schema: typeDefs,
  resolvers,
  jit: 1,
  subscription: { emitter: mqRedis({ host: redis.hostname, port: Number(redis.port) }), fullWsTransport: true },
});
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
