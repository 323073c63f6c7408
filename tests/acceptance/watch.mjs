// Prints what `clients/js` hands out of a channel, a line each, until its input ends.
//   node watch.mjs MODULE EVENTSOURCE SITE CHANNEL, with TOKEN in the environment
const [module, eventsource, site, channel] = process.argv.slice(2);
const { live } = await import(module);
const { EventSource } = await import(eventsource);

const watching = live(site, {
  channels: channel,
  since: "earliest",
  token: process.env.TOKEN,
  EventSource,
  pauseMs: { most: 2000 },
  onMessage: (message) => console.log(message.message),
  onReset: () => console.log("reset"),
  onError: (error) => console.log(`error ${error.status} ${error.message}`),
});
process.stdin.on("end", () => watching.close()).resume();
