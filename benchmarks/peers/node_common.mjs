import { MongoClient } from 'mongodb';
const channels = process.env.CHANNELS.split(',');
export async function subscribe(kind, on) {
  const url = process.env.REDIS_URL;
  if (kind === 'ioredis') { const { Redis } = await import('ioredis'); const s = new Redis(url); s.on('message', on); await s.subscribe(...channels); }
  else { const { createClient } = await import('redis'); const s = createClient({ url }); s.on('error', e => console.error(e.message)); await s.connect(); await s.subscribe(channels, (m, c) => on(c, m)); }
}
export async function collection() { const c = new MongoClient(process.env.MONGO_URL); await c.connect(); return c.db('peers').collection('messages'); }
