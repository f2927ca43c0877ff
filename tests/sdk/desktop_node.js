// An agent's desktop: the official library for those, told step by step what to do. A line of JSON in, `[name, …args]`;
// lines of JSON out: what is answered, and what happens meanwhile.
"use strict";

const readline = require("readline");
const { Worker } = require("twilio-taskrouter");

const { BOX: box, TOKEN: token } = process.env;
const worker = new Worker(token, {
  ebServer: `${box}/v1/wschannels`,
  wsServer: `${box.replace(/^http/, "ws")}/v1/wschannels`,
  closeExistingSessions: true,
  enableVersionCheck: true,
  logLevel: "silent",
});
const offers = new Map();
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

worker.on("error", (error) => say({ happens: "error", text: String(error.message || error) }));
worker.on("ready", (me) =>
  say({
    happens: "ready",
    sid: me.sid,
    activity: me.activity.name,
    activities: [...me.activities.values()].map((one) => one.name).sort(),
    channels: [...me.channels.values()].map((one) => one.taskChannelUniqueName).sort(),
    offers: [...me.reservations.values()].map((one) => one.sid),
  }));
worker.on("activityUpdated", (me) => say({ happens: "activityUpdated", activity: me.activity.name }));
worker.on("attributesUpdated", (me) => say({ happens: "attributesUpdated", attributes: me.attributes }));
worker.on("reservationFailed", (offer) => say({ happens: "reservationFailed", sid: offer.sid }));
worker.on("reservationCreated", (offer) => {
  offers.set(offer.sid, offer);
  say({ happens: "reservationCreated", sid: offer.sid, task: offer.task.sid, attributes: offer.task.attributes });
  for (const name of ["accepted", "rejected", "timeout", "canceled", "rescinded", "wrapup", "completed"]) {
    offer.on(name, (one) => say({ happens: name, sid: one.sid, status: one.status, task: one.task.status }));
  }
  for (const name of ["updated", "transferInitiated"]) {
    offer.task.on(name, () => say({ happens: name, task: offer.task.sid }));
  }
});
for (const channel of ["capacityUpdated", "availabilityUpdated"]) {
  worker.on("ready", (me) => {
    for (const one of me.channels.values()) {
      one.on(channel, (changed) =>
        say({ happens: channel, channel: changed.taskChannelUniqueName, capacity: changed.capacity }));
    }
  });
}

const acts = {
  activity: (name) => [...worker.activities.values()].find((one) => one.name === name).setAsCurrent(),
  attributes: (attributes) => worker.setAttributes(attributes),
  accept: (sid) => offers.get(sid).accept(),
  reject: (sid) => offers.get(sid).reject(),
  wrap: (sid) => offers.get(sid).wrap(),
  complete: (sid) => offers.get(sid).complete(),
  // What becomes of it is told by the transfer itself, which is there once it has been asked for.
  transfer: async (sid, to) => {
    const { task } = offers.get(sid);
    await task.transfer(to, { mode: "WARM" });
    const { outgoing } = task.transfers;
    for (const [name, happens] of [["completed", "transferCompleted"], ["failed", "transferFailed"], ["canceled", "transferCanceled"]]) {
      outgoing.on(name, () => say({ happens, status: outgoing.status }));
    }
  },
  cancelTransfer: (sid) => offers.get(sid).task.transfers.outgoing.cancel(),
  conference: (sid, options) => offers.get(sid).conference(options),
  holdCustomer: (sid, hold, holdUrl) => offers.get(sid).task.updateParticipant(holdUrl ? { hold, holdUrl } : { hold }),
  holdWorker: (sid, who, hold, holdUrl) => offers.get(sid).task.hold(who, hold, holdUrl ? { holdUrl } : {}),
  kick: (sid, who) => offers.get(sid).task.kick(who),
  part: (sid, how) => offers.get(sid).updateParticipant(how),
  createTask: (to, from, workflow, queue) => worker.createTask(to, from, workflow, queue, {}),
};

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [name, ...given] = JSON.parse(line);
    try {
      const made = await acts[name](...given);
      say({ done: name, value: typeof made === "string" ? made : null });
    } catch (error) {
      say({ failed: name, text: String(error.message || error) });
    }
  }
})();
