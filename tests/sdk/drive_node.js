// Does with the official Node library what it is told: the same lines as drive_python.py, names in its own spelling.
"use strict";

const readline = require("readline");
const twilio = require("twilio");

const { ACCOUNT: account, TOKEN: token, BOX: box } = process.env;

function client(token) {
  const made = twilio(account, token);
  for (const product of [made.api, made.taskrouter, made.voice]) product.baseUrl = box;
  return made;
}

const camel = (name) => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
const snake = (name) => name.replace(/[A-Z]/g, (letter) => "_" + letter.toLowerCase());
const METHODS = { delete: "remove", stream: "each" };

function plain(value) {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value.toJSON === "function") return plain(value.toJSON());
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [snake(name), plain(inner)]));
  }
  return value === undefined ? null : value;
}

function moment(value) {
  return typeof value === "string" && value.startsWith("@") ? new Date(value.slice(1)) : value;
}

async function done(order) {
  const way = order.way;
  if (way[0] === "http") {
    const basic = "Basic " + Buffer.from(`${account}:${token}`).toString("base64");
    const { pieces: _, ...headers } = order.with;
    const answer = await fetch(way[1], { headers: { authorization: basic, ...headers } });
    const pieces = [];
    for await (const piece of answer.body) pieces.push(piece);
    const body = Buffer.concat(pieces).toString("base64");
    return { status: answer.status, type: answer.headers.get("content-type"), pieces: pieces.length, body };
  }
  let at = client(order.token || token);
  let owner = null;
  for (const step of way) {
    if (Array.isArray(step)) {
      [at, owner] = [at.call(owner, ...step), null];
    } else {
      [at, owner] = [at[camel(step)], at];
    }
  }
  const given = Object.entries(order.with).map(([name, value]) => [camel(name), moment(value)]);
  const method = camel(METHODS[order.do] || order.do);
  if (method === "each") {
    return new Promise((resolve, reject) => {
      const all = [];
      const done = (error) => (error ? reject(error) : resolve(all));
      at.each({ ...Object.fromEntries(given), callback: (one) => all.push(plain(one)), done });
    });
  }
  return plain(given.length ? await at[method](Object.fromEntries(given)) : await at[method]());
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let told;
    try {
      told = { is: await done(JSON.parse(line)) };
    } catch (error) {
      told = { error: error.constructor.name, status: error.status, code: error.code, text: String(error) };
    }
    process.stdout.write(JSON.stringify(told) + "\n");
  }
})();
