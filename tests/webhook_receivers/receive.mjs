// Receives each line of its input, {headers, body (base64), secret}, as the public libraries do it, and says
// what it was: {verified, events} or {error}.
import { createInterface } from 'node:readline';
import { HTTP } from 'cloudevents';
import { Webhook } from 'standardwebhooks';

function received({ headers, body, secret, read }) {
  const bytes = Buffer.from(body, 'base64');
  new Webhook(secret).verify(bytes, headers, { jsonParse: false });
  if (!read) return { verified: true };
  const found = HTTP.toEvent({ headers, body: read === 'text' ? bytes.toString() : bytes });
  const events = (Array.isArray(found) ? found : [found]).map((event) => {
    const { data, data_base64: coded, ...attributes } = event;
    return { attributes, ...(coded === undefined ? { data } : { coded }) };
  });
  return { verified: true, events };
}

for await (const line of createInterface({ input: process.stdin })) {
  let said;
  try {
    said = received(JSON.parse(line));
  } catch (error) {
    said = { error: `${error.name}: ${error.message}` };
  }
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
