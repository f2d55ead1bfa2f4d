// Apollo Server on Express, with graphql-ws for subscriptions and graphql-redis-subscriptions between processes.

import http from 'node:http';
import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginDrainHttpServer } from '@apollo/server/plugin/drainHttpServer';
import { expressMiddleware } from '@as-integrations/express5';
import { makeExecutableSchema } from '@graphql-tools/schema';
import express from 'express';
import { RedisPubSub } from 'graphql-redis-subscriptions';
import { withFilter } from 'graphql-subscriptions';
import { useServer } from 'graphql-ws/use/ws';
import { Redis } from 'ioredis';
import { WebSocketServer } from 'ws';
import { recordsOf, staffOf, typeDefs, update } from './data.js';

const TOPIC = 'ATTENDANCE_UPDATED';
const pubsub = new RedisPubSub({
  publisher: new Redis(process.env.REDIS_URL),
  subscriber: new Redis(process.env.REDIS_URL),
});

const resolvers = {
  Query: { attendances: (_, { date }) => recordsOf(date) },
  Attendance: { staff: staffOf },
  Mutation: {
    updateAttendance: async (_, input) => {
      const changed = update(input);
      await pubsub.publish(TOPIC, { attendanceUpdated: changed });
      return changed;
    },
  },
  Subscription: {
    attendanceUpdated: {
      subscribe: withFilter(
        () => pubsub.asyncIterator(TOPIC),
        (event, { date }) => event.attendanceUpdated.date === date,
      ),
    },
  },
};

const schema = makeExecutableSchema({ typeDefs, resolvers });
const app = express();
const httpServer = http.createServer(app);
useServer({ schema }, new WebSocketServer({ server: httpServer, path: '/graphql' }));
const server = new ApolloServer({ schema, plugins: [ApolloServerPluginDrainHttpServer({ httpServer })] });
await server.start();
app.use('/graphql', express.json(), expressMiddleware(server));
httpServer.listen(Number(process.env.PORT), '127.0.0.1');
