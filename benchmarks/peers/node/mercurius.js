// Mercurius on Fastify with its just-in-time compiler, and mqemitter-redis between processes.

import Fastify from 'fastify';
import mercurius from 'mercurius';
import mqRedis from 'mqemitter-redis';
import { recordsOf, staffOf, typeDefs, update } from './data.js';

const { withFilter } = mercurius;
const TOPIC = 'ATTENDANCE_UPDATED';

const resolvers = {
  Query: { attendances: (_, { date }) => recordsOf(date) },
  Attendance: { staff: staffOf },
  Mutation: {
    updateAttendance: async (_, input, { pubsub }) => {
      const changed = update(input);
      await pubsub.publish({ topic: TOPIC, payload: { attendanceUpdated: changed } });
      return changed;
    },
  },
  Subscription: {
    attendanceUpdated: {
      subscribe: withFilter(
        (_, __, { pubsub }) => pubsub.subscribe(TOPIC),
        (event, { date }) => event.attendanceUpdated.date === date,
      ),
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
